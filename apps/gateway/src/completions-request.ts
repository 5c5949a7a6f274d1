/** The edge of the completions API, as that of chats: what we do not do is refused, never ignored. */
import { invalidInput } from '@crucible/foundation';
import { z } from 'zod';
import type { AnswerRequest } from './answer.ts';
import { flag, samplingFields, someText, streamFields, text, unused, wholeNumber, wrongBody } from './body-schema.ts';

const promptAllowed = 'a string, a list of token ids, or a list of at most 16 of either,';
const tokens = z.array(wholeNumber(0, 4_294_967_295)).min(1);
const prompt = z.union([text, tokens, z.array(text).min(1).max(16), z.array(tokens).min(1).max(16)], promptAllowed);

/** What OpenAI's API takes when a request does not say. */
const defaultMaxTokens = 16;

const bodySchema = z.strictObject({
  model: someText,
  prompt,
  max_tokens: wholeNumber(0).nullish(),
  ...samplingFields,
  echo: flag.nullish(),
  logprobs: wholeNumber(0, 20).nullish(),
  ...streamFields,
  user: text.nullish(),
  best_of: unused(1),
  frequency_penalty: unused(0),
  presence_penalty: unused(0),
});

export interface CompletionsRequest extends AnswerRequest {
  readonly model: string;
  readonly prompts: readonly (string | readonly number[])[];
  readonly maxTokens: number;
  readonly choices: number;
  readonly echo: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

export function parseCompletionsRequest(body: unknown): CompletionsRequest {
  const parsed = bodySchema.safeParse(body, { reportInput: true });
  if (!parsed.success) throw wrongBody(parsed.error);
  const given = parsed.data;
  if (given.stream_options != null && given.stream !== true) {
    throw invalidInput('stream_options is only allowed together with stream: true', { at: 'stream_options' });
  }
  if (given.max_tokens === 0 && given.echo !== true) {
    throw invalidInput(
      'max_tokens: 0 is given; a whole number of at least 1 is allowed, or 0 together with echo: true',
      {
        at: 'max_tokens',
      },
    );
  }
  return {
    model: given.model,
    prompts: promptsOf(given.prompt),
    maxTokens: given.max_tokens ?? defaultMaxTokens,
    temperature: given.temperature ?? 1,
    topP: given.top_p ?? 1,
    topK: given.top_k ?? 0,
    choices: given.n ?? 1,
    stops: typeof given.stop === 'string' ? [given.stop] : (given.stop ?? []),
    seed: given.seed ?? undefined,
    echo: given.echo ?? false,
    topLogprobs: given.logprobs ?? undefined,
    stream: given.stream ?? false,
    includeUsage: given.stream_options?.include_usage ?? false,
  };
}

function promptsOf(given: z.infer<typeof prompt>): readonly (string | readonly number[])[] {
  if (typeof given === 'string') return [given];
  return given.every((each) => typeof each === 'number') ? [given] : given;
}

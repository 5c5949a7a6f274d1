/** The edge of the chat API: a body is checked in full before any work. What we do not do is refused, never ignored. */
import { invalidInput } from '@crucible/foundation';
import { z } from 'zod';
import type { AnswerRequest } from './answer.ts';
import { flag, samplingFields, someText, streamFields, text, unused, wholeNumber, wrongBody } from './body-schema.ts';
import { crucibleSchema, type RunFields, runFields, splitModel } from './run-request.ts';

// The message of every check says what is allowed.
const roles = ['system', 'developer', 'user', 'assistant', 'tool'] as const;

const contentAllowed = 'a string, or a list of parts {"type": "text", "text": …},';
const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const content = z.union([z.string(), z.array(textPart).min(1, contentAllowed)], contentAllowed);

const message = z.strictObject(
  {
    role: z.enum(roles, `one of ${roles.join(', ')}`),
    content,
    /** Has no meaning for the models here; clients send it along with tool results. */
    name: text.optional(),
    /** Our own answers have it; clients send them back as they came. */
    refusal: z.null('null').optional(),
  },
  'an object',
);

const bodySchema = z.strictObject({
  model: someText,
  messages: z.array(message, 'a list of messages').min(1, 'a list of at least one message'),
  max_tokens: wholeNumber(1).nullish(),
  max_completion_tokens: wholeNumber(1).nullish(),
  ...samplingFields,
  ...streamFields,
  logprobs: flag.nullish(),
  top_logprobs: wholeNumber(0, 20).nullish(),
  user: text.nullish(),
  frequency_penalty: unused(0),
  presence_penalty: unused(0),
  response_format: z.strictObject({ type: z.literal('text', '"text"') }, 'an object').nullish(),
  /** Ours: asks by a strategy. */
  crucible: crucibleSchema.nullish(),
});

/** What strategies set themselves. */
const notWithStrategies = ['stop', 'n', 'logprobs', 'top_logprobs', 'top_k'] as const;
/** Values of them that change nothing. */
const neutral: Readonly<Record<(typeof notWithStrategies)[number], unknown>> = {
  stop: undefined,
  n: 1,
  logprobs: false,
  top_logprobs: undefined,
  top_k: 0,
};

export interface ChatRequest extends AnswerRequest {
  /** Without the strategy. */
  readonly model: string;
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant' | 'tool'; readonly content: string }[];
  /** The field that says so. */
  readonly maxTokensField: 'max_completion_tokens' | 'max_tokens';
  readonly choices: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Undefined: the model answers as it is. */
  readonly run: RunFields | undefined;
}

export function parseChatRequest(body: unknown): ChatRequest {
  const parsed = bodySchema.safeParse(body, { reportInput: true });
  if (!parsed.success) throw wrongBody(parsed.error);
  const given = parsed.data;
  if (given.top_logprobs != null && given.logprobs !== true) {
    throw invalidInput('top_logprobs is only allowed together with logprobs: true', { at: 'top_logprobs' });
  }
  if (given.stream_options != null && given.stream !== true) {
    throw invalidInput('stream_options is only allowed together with stream: true', { at: 'stream_options' });
  }
  const { model, strategy } = splitModel(given.model);
  const run = runFields(strategy, given.crucible, given.temperature);
  for (const field of run ? notWithStrategies : []) {
    if (given[field] != null && given[field] !== neutral[field])
      throw invalidInput(`${field}: this field is not supported together with a strategy`, { at: field });
  }
  return {
    model,
    messages: given.messages.map(({ role, content }) => ({
      role: role === 'developer' ? 'system' : role,
      content: typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
    })),
    maxTokens: given.max_completion_tokens ?? given.max_tokens ?? undefined,
    maxTokensField: given.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens',
    temperature: given.temperature ?? 1,
    topP: given.top_p ?? 1,
    topK: given.top_k ?? 0,
    choices: given.n ?? 1,
    stops: typeof given.stop === 'string' ? [given.stop] : (given.stop ?? []),
    seed: given.seed ?? undefined,
    stream: given.stream ?? false,
    includeUsage: given.stream_options?.include_usage ?? false,
    topLogprobs: given.logprobs === true ? (given.top_logprobs ?? 0) : undefined,
    run,
  };
}

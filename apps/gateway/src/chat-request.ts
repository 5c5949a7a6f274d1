/** The edge of the chat API: a body is checked in full before any work. What we do not do is refused, never ignored. */
import { invalidInput } from '@crucible/foundation';
import { z } from 'zod';

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });

const message = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(textPart).min(1)]),
  /** Has no meaning for the models here; clients send it along with tool results. */
  name: z.string().optional(),
  /** Our own answers have it; clients send them back as they came. */
  refusal: z.null().optional(),
});

/** Fields of the OpenAI API that are accepted only with the value that changes nothing. */
const unused = <T>(value: T) => z.literal(value as T & z.core.util.Literal).nullish();

const bodySchema = z.strictObject({
  model: z.string().min(1),
  messages: z.array(message).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** Ours: only the k likeliest tokens. */
  top_k: z.int().min(0).nullish(),
  n: z.int().min(1).max(16).nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]).nullish(),
  seed: z.int().min(0).max(4_294_967_295).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  user: z.string().nullish(),
  frequency_penalty: unused(0),
  presence_penalty: unused(0),
  response_format: z.strictObject({ type: z.literal('text') }).nullish(),
});

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant' | 'tool'; readonly content: string }[];
  /** Undefined: as many as the context leaves. */
  readonly maxTokens: number | undefined;
  /** The field that says so. */
  readonly maxTokensField: 'max_completion_tokens' | 'max_tokens';
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly choices: number;
  readonly stops: readonly string[];
  readonly seed: number | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Undefined: no log-probabilities. */
  readonly topLogprobs: number | undefined;
}

export function parseChatRequest(body: unknown): ChatRequest {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) throw explain(parsed.error.issues[0]!);
  const given = parsed.data;
  if (given.top_logprobs != null && given.logprobs !== true) {
    throw invalidInput('top_logprobs is only allowed together with logprobs: true', { at: 'top_logprobs' });
  }
  if (given.stream_options != null && given.stream !== true) {
    throw invalidInput('stream_options is only allowed together with stream: true', { at: 'stream_options' });
  }
  return {
    model: given.model,
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
  };
}

/** One clear sentence for the first thing that is wrong. */
function explain(issue: z.core.$ZodIssue): Error {
  if (issue.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]!].join('.');
    return invalidInput(`${field}: this field is not known or not supported here`, { at: field });
  }
  const field = issue.path.join('.');
  if (field === '') return invalidInput('the body must be a JSON object', { at: 'body' });
  return invalidInput(`${field}: ${issue.message}`, { at: field });
}

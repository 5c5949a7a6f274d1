/** A model behind any OpenAI-compatible URL: hosted ones, vLLM, llama.cpp, Ollama, and our own gateway. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { CrucibleError, type ErrorCode, invalidInput } from '@crucible/foundation';
import type {
  ChatEvent,
  ChatMessage,
  ChatModel,
  ChatRequest,
  FinishReason,
  ToolCall,
  Wording,
} from '@crucible/prompting';
import { serverSentEvents } from './server-sent-events.ts';

export interface OpenAiModelOptions {
  /** Of the API, as `http://127.0.0.1:8080/v1`. */
  readonly url: string;
  readonly model: string;
  /** Sent to this server alone; in no message of an error. Default: none. */
  readonly key?: string;
  /** Default: not known. */
  readonly contextTokens?: number;
  /** See {@link ChatModel.bytesPerToken}. */
  readonly bytesPerToken?: number;
  /** Default general. */
  readonly wording?: Wording;
  /** Whether messages of tools need no call before them, as with our own gateway. Default false. */
  readonly plainToolMessages?: boolean;
  /** Whether the server knows `tools`. Default true. */
  readonly nativeTools?: boolean;
  /** The largest `n` that the server takes. Default 1. */
  readonly mostSamples?: number;
  /** The field for the length of answers. Default max_tokens; newer models of OpenAI want the other. */
  readonly maxTokensField?: 'max_tokens' | 'max_completion_tokens';
  /** For a whole answer. Default 5 minutes. */
  readonly deadlineMs?: number;
  /** Between two pieces of an answer, and before the first. Default 1 minute. */
  readonly silenceMs?: number;
  /** How often a request is tried again that the server could not take yet. Default 2. */
  readonly retries?: number;
}

export function createOpenAiModel(options: OpenAiModelOptions): ChatModel {
  const {
    model,
    contextTokens,
    bytesPerToken,
    wording = 'general',
    plainToolMessages = false,
    nativeTools = true,
    mostSamples = 1,
  } = options;
  const endpoint = endpointOf(options.url);
  return {
    name: model,
    wording,
    plainToolMessages,
    nativeTools,
    mostSamples,
    ...(contextTokens !== undefined && { contextTokens }),
    ...(bytesPerToken !== undefined && { bytesPerToken }),
    generate: (request) => generate({ endpoint, key: options.key, options }, request),
  };
}

interface Connection {
  readonly endpoint: string;
  readonly key: string | undefined;
  readonly options: OpenAiModelOptions;
}

/** Errors that may pass by themselves. */
const passing: ReadonlySet<ErrorCode> = new Set(['unavailable', 'resource-exhausted']);

/** Milliseconds before the first new try; each further one waits twice as long. */
const firstPauseMs = 250;
const longestPauseMs = 10_000;

async function* generate(connection: Connection, request: ChatRequest): AsyncGenerator<ChatEvent, void, undefined> {
  const { deadlineMs = 5 * 60_000, silenceMs = 60_000, retries = 2 } = connection.options;
  using watch = new Watch(request.signal, deadlineMs, silenceMs);
  for (let attempt = 0; ; attempt++) {
    let hasBegun = false;
    try {
      for await (const event of answer(connection, request, watch)) {
        hasBegun = true;
        yield event;
      }
      return;
    } catch (reason) {
      const error = watch.explain(reason, connection);
      // What was shown cannot be taken back.
      if (hasBegun || attempt >= retries || !passing.has(error.code)) throw error;
      const pause = Math.min(
        longestPauseMs,
        error instanceof BusyError ? error.retryAfterMs : firstPauseMs * 2 ** attempt,
      );
      await delay(pause, undefined, { signal: watch.signal }).catch((late: unknown) => {
        throw watch.explain(late, connection);
      });
    }
  }
}

async function* answer(
  connection: Connection,
  request: ChatRequest,
  watch: Watch,
): AsyncGenerator<ChatEvent, void, undefined> {
  const { endpoint, key } = connection;
  watch.heard();
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream, application/json',
      ...(key !== undefined && key !== '' && { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify(bodyOf(connection, request)),
    signal: watch.signal,
    // The key is for this server alone.
    redirect: 'error',
  });
  watch.heard();
  if (!response.ok) throw await errorOf(response, connection);
  const reader = new AnswerReader(request.samples ?? 1);
  if (!(response.headers.get('content-type') ?? '').includes('text/event-stream')) {
    // A server that does not stream sends the same in one piece.
    yield* reader.read(parsed(await response.text(), connection), connection);
  } else {
    for await (const data of serverSentEvents(heard(response.body!, watch))) {
      if (data.trim() === '[DONE]') break;
      yield* reader.read(parsed(data, connection), connection);
    }
  }
  yield* reader.end(connection);
}

async function* heard(body: AsyncIterable<Uint8Array>, watch: Watch): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) {
    watch.heard();
    yield chunk;
  }
}

function bodyOf({ options }: Connection, request: ChatRequest): object {
  const { temperature, topP, seed, stops = [], samples = 1, logprobs = false, tools = [] } = request;
  return {
    model: options.model,
    messages: request.messages.map(messageOf),
    ...(request.maxTokens !== undefined && { [options.maxTokensField ?? 'max_tokens']: request.maxTokens }),
    stream: true,
    stream_options: { include_usage: true },
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(seed !== undefined && { seed }),
    ...(stops.length > 0 && { stop: stops.slice(0, 4) }),
    ...(samples > 1 && { n: samples }),
    ...(logprobs && { logprobs: true }),
    ...(tools.length > 0 && { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
  };
}

function messageOf(message: ChatMessage): object {
  if (message.role === 'tool') {
    const { role, content, callId } = message;
    return { role, content, ...(callId !== undefined && { tool_call_id: callId }) };
  }
  if (message.role !== 'assistant' || !message.toolCalls?.length)
    return { role: message.role, content: message.content };
  return {
    role: 'assistant',
    content: message.content,
    tool_calls: message.toolCalls.map(({ id, name, arguments: text }) => ({
      id,
      type: 'function',
      function: { name, arguments: text },
    })),
  };
}

const toolCallSchema = z.object({
  index: z.number().optional(),
  id: z.string().nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
});
const deltaSchema = z.object({ content: z.string().nullish(), tool_calls: z.array(toolCallSchema).nullish() });
const errorSchema = z.union([z.string(), z.object({ message: z.string() }).transform(({ message }) => message)]);
const eventSchema = z.object({
  choices: z
    .array(
      z.object({
        index: z.number().default(0),
        delta: deltaSchema.nullish(),
        message: deltaSchema.nullish(),
        finish_reason: z.string().nullish(),
        logprobs: z
          .object({ content: z.array(z.object({ token: z.string(), logprob: z.number() })).nullish() })
          .nullish(),
      }),
    )
    .nullish(),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
  error: errorSchema.nullish(),
});

type ApiEvent = z.infer<typeof eventSchema>;

function parsed(data: string, connection: Connection): ApiEvent {
  try {
    return eventSchema.parse(JSON.parse(data));
  } catch (reason) {
    throw failure('unavailable', `it sent what is no part of an answer: ${data.slice(0, 100)}`, connection, reason);
  }
}

/** Puts the samples of an answer together from what comes in pieces. */
class AnswerReader {
  readonly #finishes: (FinishReason | undefined)[];
  readonly #calls: { id: string; name: string; arguments: string }[][];

  constructor(samples: number) {
    this.#finishes = Array.from({ length: samples }, () => undefined);
    this.#calls = Array.from({ length: samples }, () => []);
  }

  *read({ choices, usage, error }: ApiEvent, connection: Connection): Generator<ChatEvent, void, undefined> {
    if (error != null) throw failure('unavailable', error, connection);
    for (const choice of choices ?? []) {
      const { index: sample, finish_reason: finish } = choice;
      const calls = this.#calls[sample];
      if (calls === undefined)
        throw failure('unavailable', `it sent answer ${sample} of ${this.#calls.length}`, connection);
      const { content, tool_calls: toolCalls } = choice.delta ?? choice.message ?? {};
      const logprobs = choice.logprobs?.content ?? [];
      if ((content != null && content !== '') || logprobs.length > 0)
        yield { kind: 'text', sample, text: content ?? '', ...(logprobs.length > 0 && { logprobs }) };
      for (const [i, call] of (toolCalls ?? []).entries()) {
        // Some servers send whole calls without an index.
        const place = call.index ?? calls.length + (choice.delta ? 0 : i);
        const known = (calls[place] ??= { id: '', name: '', arguments: '' });
        known.id ||= call.id ?? '';
        known.name += call.function?.name ?? '';
        known.arguments += call.function?.arguments ?? '';
      }
      if (finish != null) this.#finishes[sample] = finishOf(finish);
    }
    if (usage)
      yield { kind: 'usage', usage: { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens } };
  }

  *end(connection: Connection): Generator<ChatEvent, void, undefined> {
    for (const [sample, finish] of this.#finishes.entries()) {
      if (finish === undefined) throw failure('unavailable', 'the answer broke off', connection);
      const calls = this.#calls[sample]!;
      const toolCalls = calls
        .filter((call) => call.name !== '')
        .map((call, i): ToolCall => ({ ...call, id: call.id === '' ? `call-${i}` : call.id }));
      yield {
        kind: 'end',
        sample,
        finish: toolCalls.length > 0 ? 'tool-calls' : finish,
        ...(toolCalls.length > 0 && { toolCalls }),
      };
    }
  }
}

function finishOf(reason: string): FinishReason {
  if (reason === 'length') return 'length';
  if (reason === 'content_filter') return 'refused';
  return reason === 'tool_calls' || reason === 'function_call' ? 'tool-calls' : 'stop';
}

/** The server is there, and busy. */
class BusyError extends CrucibleError {
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, retryAfterMs: number) {
    super(code, message);
    this.retryAfterMs = retryAfterMs;
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-input',
  401: 'unauthenticated',
  403: 'permission-denied',
  404: 'not-found',
  405: 'not-found',
  408: 'deadline-exceeded',
  413: 'invalid-input',
  422: 'invalid-input',
  429: 'resource-exhausted',
  501: 'unimplemented',
  504: 'deadline-exceeded',
};

async function errorOf(response: Response, connection: Connection): Promise<CrucibleError> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const code = codes[status] ?? 'unavailable';
  const told = z.object({ error: errorSchema }).safeParse(jsonOf(text)).data?.error;
  // What a server says about the request is for whoever made it; everything else is about the server.
  if (told !== undefined && ['invalid-input', 'not-found'].includes(code))
    return new CrucibleError(code, withoutKey(told, connection));
  const message = told ?? text.trim().slice(0, 300);
  const error = failure(code, `HTTP ${status}${message === '' ? '' : `: ${message}`}`, connection);
  const seconds = Number(headers.get('retry-after') ?? NaN);
  return seconds >= 0 ? new BusyError(error.code, error.message, seconds * 1000) : error;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Servers like to repeat a key that they do not know. */
function withoutKey(message: string, { key }: Connection): string {
  return key === undefined || key === '' ? message : message.replaceAll(key, '***');
}

function failure(code: ErrorCode, message: string, connection: Connection, cause?: unknown): CrucibleError {
  return new CrucibleError(code, `${connection.endpoint}: ${withoutKey(message, connection)}`, { cause });
}

/** Ends a request by the caller's signal, by its deadline, and when the server has been silent for too long. */
class Watch implements Disposable {
  readonly signal: AbortSignal;
  readonly #caller: AbortSignal;
  readonly #own = new AbortController();
  readonly #silenceMs: number;
  readonly #deadline: NodeJS.Timeout;
  #silence: NodeJS.Timeout | undefined;

  constructor(caller: AbortSignal, deadlineMs: number, silenceMs: number) {
    this.#caller = caller;
    this.#silenceMs = silenceMs;
    this.signal = AbortSignal.any([caller, this.#own.signal]);
    this.#deadline = setTimeout(() => this.#end(`the answer took longer than ${deadlineMs} ms`), deadlineMs);
  }

  heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end(`nothing came for ${this.#silenceMs} ms`), this.#silenceMs);
  }

  explain(reason: unknown, connection: Connection): CrucibleError {
    if (this.#caller.aborted)
      return new CrucibleError('cancelled', `${connection.endpoint}: the request was cancelled`, { cause: reason });
    if (this.#own.signal.aborted) return failure('deadline-exceeded', this.#own.signal.reason as string, connection);
    if (reason instanceof CrucibleError) return reason;
    return failure('unavailable', `it cannot be reached: ${whyUnreachable(reason as Error)}`, connection, reason);
  }

  #end(why: string): void {
    this.#own.abort(why);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#silence);
    // Where the caller has left, the connection is closed.
    this.#own.abort('the answer is no longer wanted');
  }
}

/** `fetch` says "fetch failed", and its cause says why. */
function whyUnreachable({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message;
  const { code = message } = cause as NodeJS.ErrnoException;
  return cause.message === '' ? code : cause.message;
}

function endpointOf(url: string): string {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (
    base === undefined ||
    !['http:', 'https:'].includes(base.protocol) ||
    base.username !== '' ||
    base.password !== ''
  )
    throw invalidInput(
      `url: ${base === undefined ? url : base.origin}: http://host/v1 or https://host/v1, without a user or password, is allowed`,
      { at: 'url' },
    );
  return `${url.replace(/[/?#]+$/, '')}/chat/completions`;
}

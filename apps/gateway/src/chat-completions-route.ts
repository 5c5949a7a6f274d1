/** POST /v1/chat/completions: OpenAI's chat API, whole or as server-sent events. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { CrucibleError } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import type { PolicyService } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import type { Logger } from '@crucible/service';
import { applyChatTemplate } from '@crucible/tokenizer';
import { completeChat, type CompletionPart, type ContentLogprob } from './chat-completion.ts';
import { type ChatRequest, parseChatRequest } from './chat-request.ts';
import { ContextLengthError, errorBody, errorResponse } from './http-error.ts';
import type { Models } from './models.ts';
import { readJson } from './read-json.ts';

export interface ChatRouteDependencies {
  readonly policy: Client<typeof PolicyService>;
  readonly models: Models;
  readonly log: Logger;
  /** Breaks answers off when it is aborted; its reason, a CrucibleError, is what callers are told. */
  readonly closing: AbortSignal;
}

interface Prepared {
  readonly request: ChatRequest;
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly promptTokens: number;
  /** Starts answer number `index`; the signal ends it. */
  readonly start: (index: number, signal: AbortSignal) => AsyncGenerator<CompletionPart, void, undefined>;
}

/** Seconds between comments that keep an idle stream open. */
const pingSeconds = 15;

export function createChatCompletionsRoute(
  dependencies: ChatRouteDependencies,
): (context: Context) => Promise<Response> {
  return async (context) => {
    try {
      const prepared = await prepare(context, dependencies);
      return await (prepared.request.stream
        ? respondStreaming(context, prepared, dependencies)
        : respondWhole(context, prepared));
    } catch (reason) {
      const error = errorOf(reason, dependencies.closing);
      if (error.code === 'internal')
        dependencies.log.error({ error: error.message, stack: error.stack }, 'a chat request failed');
      return errorResponse(context, error);
    }
  };
}

async function prepare(context: Context, { policy, models, closing }: ChatRouteDependencies): Promise<Prepared> {
  const request = parseChatRequest(await readJson(context));
  const { signal } = context.req.raw;
  const { info, tokenizer } = await models.find(request.model, signal);
  const prompt = applyChatTemplate(tokenizer, request.messages, { addGenerationPrompt: true });
  assertFits(request, prompt.length, info);
  const id = `chatcmpl-${randomUUID()}`;
  return {
    request,
    id,
    created: Math.floor(Date.now() / 1000),
    model: info.name,
    promptTokens: prompt.length,
    start: (index, failed) =>
      completeChat({
        policy,
        model: info,
        tokenizer,
        prompt,
        request,
        index,
        requestId: id,
        signal: AbortSignal.any([signal, failed, closing]),
      }),
  };
}

function assertFits(request: ChatRequest, promptTokens: number, { name, contextLength }: ModelInfo): void {
  const room = contextLength - promptTokens;
  if (room < 1) {
    throw new ContextLengthError(
      `messages: they are ${promptTokens} tokens long; the context of ${name} is ${contextLength} tokens and must hold the answer too`,
      'messages',
    );
  }
  const { maxTokens = 0, maxTokensField } = request;
  if (maxTokens > room) {
    throw new ContextLengthError(
      `${maxTokensField}: ${maxTokens} is more than the ${room} tokens that the context of ${name}, ${contextLength} tokens, leaves after messages of ${promptTokens}`,
      maxTokensField,
    );
  }
}

/** Runs the answers of a request side by side; when one fails, the others are ended. */
async function answerAll<T>(count: number, answer: (index: number, failed: AbortSignal) => Promise<T>): Promise<T[]> {
  const failed = new AbortController();
  const answers = Array.from({ length: count }, (_, index) => answer(index, failed.signal));
  try {
    return await Promise.all(answers);
  } catch (reason) {
    failed.abort();
    await Promise.allSettled(answers);
    throw reason;
  }
}

async function respondWhole(
  context: Context,
  { request, id, created, model, promptTokens, start }: Prepared,
): Promise<Response> {
  const answers = await answerAll(request.choices, (index, failed) => collect(start(index, failed)));
  const completionTokens = answers.reduce((sum, answer) => sum + answer.completionTokens, 0);
  return context.json({
    id,
    object: 'chat.completion',
    created,
    model,
    choices: answers.map(({ text, finish, logprobs }, index) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: logprobsField(request, logprobs),
      finish_reason: finish,
    })),
    usage: usage(promptTokens, completionTokens),
  });
}

interface CollectedAnswer {
  readonly text: string;
  readonly finish: 'stop' | 'length';
  readonly completionTokens: number;
  readonly logprobs: readonly ContentLogprob[];
}

async function collect(parts: AsyncIterable<CompletionPart>): Promise<CollectedAnswer> {
  let text = '';
  const logprobs: ContentLogprob[] = [];
  for await (const part of parts) {
    if (part.kind === 'end') return { text, logprobs, finish: part.finish, completionTokens: part.completionTokens };
    text += part.text;
    logprobs.push(...part.logprobs);
  }
  throw new Error('internal: an answer without an end');
}

function respondStreaming(context: Context, prepared: Prepared, { log, closing }: ChatRouteDependencies): Response {
  const { request, id, created, model, promptTokens, start } = prepared;
  const chunk = (choices: readonly object[], more: object = {}): string =>
    JSON.stringify({ id, object: 'chat.completion.chunk', created, model, choices, ...more });
  const withUsage = request.includeUsage ? { usage: null } : {};
  return streamSSE(context, async (stream) => {
    const ping = setInterval(() => void stream.write(': ping\n\n'), pingSeconds * 1000);
    let completionTokens = 0;
    const answer = async (index: number, failed: AbortSignal): Promise<void> => {
      const send = (
        delta: object,
        logprobs: readonly ContentLogprob[] = [],
        finish: string | null = null,
      ): Promise<void> => {
        const choice = { index, delta, logprobs: logprobsField(request, logprobs), finish_reason: finish };
        return stream.writeSSE({ data: chunk([choice], withUsage) });
      };
      await send({ role: 'assistant', content: '' });
      for await (const part of start(index, failed)) {
        if (part.kind === 'text') {
          await send({ content: part.text }, part.logprobs);
        } else {
          completionTokens += part.completionTokens;
          await send({}, [], part.finish);
        }
      }
    };
    try {
      await answerAll(request.choices, answer);
      if (request.includeUsage)
        await stream.writeSSE({ data: chunk([], { usage: usage(promptTokens, completionTokens) }) });
      await stream.writeSSE({ data: '[DONE]' });
    } catch (reason) {
      const error = errorOf(reason, closing);
      // The status has been sent; clients look for an error in the stream.
      if (!stream.aborted) await stream.writeSSE({ data: JSON.stringify(errorBody(error)) });
      if (error.code !== 'cancelled')
        log.warn({ id, code: error.code, error: error.message }, 'a streamed answer failed');
    } finally {
      clearInterval(ping);
    }
  });
}

function errorOf(reason: unknown, closing: AbortSignal): CrucibleError {
  return CrucibleError.from(closing.aborted ? closing.reason : reason);
}

function logprobsField(
  request: ChatRequest,
  content: readonly ContentLogprob[],
): { content: readonly ContentLogprob[]; refusal: null } | null {
  return request.topLogprobs === undefined ? null : { content, refusal: null };
}

function usage(promptTokens: number, completionTokens: number): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** POST /v1/chat/completions: OpenAI's chat API, whole or as server-sent events. */
import { randomUUID } from 'node:crypto';
import { streamSSE } from 'hono/streaming';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import type { PolicyService } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import type { Logger } from '@crucible/service';
import { applyChatTemplate, type Tokenizer } from '@crucible/tokenizer';
import type { GatewayContext } from './access.ts';
import { answerAll, type AnswerPart, collectAnswer, type ContentLogprob, streamAnswer, usageOf } from './answer.ts';
import { type ChatRequest, parseChatRequest } from './chat-request.ts';
import { pingSeconds } from './event-stream.ts';
import { ContextLengthError, errorBody, errorResponse } from './http-error.ts';
import type { Metrics } from './metrics.ts';
import type { Models } from './models.ts';
import { readJson } from './read-json.ts';
import { respondByStrategy, type RunDependencies } from './run-completions.ts';

/** What a model's answers need. */
export interface AnswerDependencies {
  readonly policy: Client<typeof PolicyService>;
  readonly models: Models;
  readonly metrics: Metrics;
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
  readonly start: (index: number, signal: AbortSignal) => AsyncGenerator<AnswerPart, void, undefined>;
}

export function createChatCompletionsRoute(
  dependencies: AnswerDependencies & RunDependencies,
): (context: GatewayContext) => Promise<Response> {
  return async (context) => {
    try {
      const request = parseChatRequest(await readJson(context));
      if (request.run) return await respondByStrategy(context, request, request.run, dependencies);
      const prepared = await prepare(context, request, dependencies);
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

async function prepare(
  context: GatewayContext,
  request: ChatRequest,
  { policy, models, metrics, closing }: AnswerDependencies,
): Promise<Prepared> {
  const { signal } = context.req.raw;
  const caller = context.get('caller');
  const { info, tokenizer } = await models.find(request.model, signal);
  const prompt = promptOf(request, info, tokenizer);
  assertFits(request, prompt.length, info);
  const id = `chatcmpl-${randomUUID()}`;
  return {
    request,
    id,
    created: Math.floor(Date.now() / 1000),
    model: info.name,
    promptTokens: prompt.length,
    start: (index, failed) =>
      streamAnswer({
        policy,
        model: info,
        tokenizer,
        prompt,
        request,
        index,
        requestId: id,
        signal: AbortSignal.any([signal, failed, closing]),
        metrics,
        caller,
      }),
  };
}

function promptOf({ messages }: ChatRequest, { name }: ModelInfo, tokenizer: Tokenizer): readonly number[] {
  try {
    return applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true });
  } catch (reason) {
    const error = CrucibleError.from(reason);
    if (error.code !== 'failed-precondition') throw error;
    // It has no template for chats, and waiting brings none.
    throw invalidInput(`model: ${name} does not chat: ${error.message}`, { at: 'model', cause: reason });
  }
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

async function respondWhole(
  context: GatewayContext,
  { request, id, created, model, promptTokens, start }: Prepared,
): Promise<Response> {
  const answers = await answerAll(request.choices, (index, failed) => collectAnswer(start(index, failed)));
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
    usage: usageOf(promptTokens, completionTokens),
  });
}

function respondStreaming(context: GatewayContext, prepared: Prepared, { log, closing }: AnswerDependencies): Response {
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
        await stream.writeSSE({ data: chunk([], { usage: usageOf(promptTokens, completionTokens) }) });
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

/** POST /v1/completions: text or tokens in, what follows out, without a chat template. */
import { randomUUID } from 'node:crypto';
import { streamSSE } from 'hono/streaming';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import type { Tokenizer } from '@crucible/tokenizer';
import type { GatewayContext } from './access.ts';
import { answerAll, collectAnswer, type ContentLogprob, streamAnswer, usageOf, type AnswerPart } from './answer.ts';
import type { AnswerDependencies } from './chat-completions-route.ts';
import { type CompletionsRequest, parseCompletionsRequest } from './completions-request.ts';
import { pingSeconds } from './event-stream.ts';
import { ContextLengthError, errorBody, errorResponse } from './http-error.ts';
import { readJson } from './read-json.ts';

/** One choice of the answer: which prompt, and which of the answers to it. */
interface Choice {
  readonly prompt: readonly number[];
  readonly answer: number;
}

interface Prepared {
  readonly request: CompletionsRequest;
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly choices: readonly Choice[];
  readonly promptTokens: number;
  /** The parts of a choice, the echo of its prompt first. */
  readonly start: (choice: Choice, signal: AbortSignal) => AsyncGenerator<AnswerPart, void, undefined>;
}

export function createCompletionsRoute(
  dependencies: AnswerDependencies,
): (context: GatewayContext) => Promise<Response> {
  return async (context) => {
    const { closing, log } = dependencies;
    try {
      const prepared = await prepare(context, dependencies);
      return await (prepared.request.stream
        ? respondStreaming(context, prepared, dependencies)
        : respondWhole(context, prepared));
    } catch (reason) {
      const error = CrucibleError.from(closing.aborted ? closing.reason : reason);
      if (error.code === 'internal') log.error({ error: error.message, stack: error.stack }, 'a completion failed');
      return errorResponse(context, error);
    }
  };
}

async function prepare(context: GatewayContext, dependencies: AnswerDependencies): Promise<Prepared> {
  const { policy, models, metrics, closing } = dependencies;
  const request = parseCompletionsRequest(await readJson(context));
  const signal = AbortSignal.any([context.req.raw.signal, closing]);
  const caller = context.get('caller');
  const { info, tokenizer } = await models.find(request.model, signal);
  const prompts = request.prompts.map((prompt, i) => promptTokens(prompt, i, tokenizer, info, request));
  const id = `cmpl-${randomUUID()}`;
  return {
    request,
    id,
    created: Math.floor(Date.now() / 1000),
    model: info.name,
    choices: prompts.flatMap((prompt) => Array.from({ length: request.choices }, (_, answer) => ({ prompt, answer }))),
    promptTokens: prompts.reduce((sum, { length }) => sum + length, 0),
    start: async function* ({ prompt, answer }, failed) {
      const both = AbortSignal.any([signal, failed]);
      if (request.echo) {
        const logprobs =
          request.topLogprobs === undefined
            ? []
            : await promptLogprobs(dependencies, info, tokenizer, prompt, request.topLogprobs, both);
        yield { kind: 'text', text: tokenizer.decode(prompt), logprobs };
      }
      if (request.maxTokens === 0) {
        if (answer === 0) caller.spendTokens(prompt.length);
        yield { kind: 'end', finish: 'length', completionTokens: 0 };
        return;
      }
      yield* streamAnswer({
        policy,
        model: info,
        tokenizer,
        prompt,
        request,
        index: answer,
        requestId: id,
        signal: both,
        metrics,
        caller,
      });
    },
  };
}

function promptTokens(
  prompt: string | readonly number[],
  index: number,
  tokenizer: Tokenizer,
  { name, contextLength }: ModelInfo,
  { prompts, maxTokens }: CompletionsRequest,
): readonly number[] {
  const at = prompts.length === 1 ? 'prompt' : `prompt[${index}]`;
  // As the model expects a text to begin and end; what only looks like a special token is text.
  const ids = typeof prompt === 'string' ? tokenizer.tokenize(prompt).ids : prompt;
  if (ids.length === 0) throw invalidInput(`${at}: it is empty`, { at });
  const wrong = ids.find((id) => id >= tokenizer.vocabSize);
  if (wrong !== undefined)
    throw invalidInput(`${at}: token ${wrong} does not exist; ${name} has ${tokenizer.vocabSize}, from 0`, { at });
  if (ids.length + maxTokens > contextLength) {
    throw new ContextLengthError(
      `${at}: its ${ids.length} tokens and the ${maxTokens} of max_tokens are more than the context of ${name}, ${contextLength} tokens`,
      at,
    );
  }
  return ids;
}

/** The first token follows nothing and has none. */
async function promptLogprobs(
  { policy }: AnswerDependencies,
  model: ModelInfo,
  tokenizer: Tokenizer,
  prompt: readonly number[],
  topLogprobs: number,
  signal: AbortSignal,
): Promise<ContentLogprob[]> {
  const of = (id: number, logprob: number) => ({
    token: tokenizer.decode([id]),
    logprob,
    bytes: [...tokenizer.tokenBytes(id)],
  });
  const [first, ...rest] = prompt;
  const none = [{ ...of(first!, Number.NaN), top_logprobs: [] }];
  if (rest.length === 0) return none;
  const { scores } = await policy.score(
    {
      model: model.name,
      sequences: [{ promptTokenIds: [first!], completionTokenIds: rest }],
      topLogprobs,
    },
    { signal },
  );
  const [{ logprobs, topLogprobs: tops }] = scores as [(typeof scores)[0]];
  return [
    ...none,
    ...rest.map((id, i) => {
      const { tokenIds = [], logprobs: likeliest = [] } = tops[i] ?? {};
      return { ...of(id, logprobs[i]!), top_logprobs: tokenIds.map((other, j) => of(other, likeliest[j]!)) };
    }),
  ];
}

async function respondWhole(context: GatewayContext, prepared: Prepared): Promise<Response> {
  const { request, id, created, model, choices, promptTokens: prompts, start } = prepared;
  const answers = await answerAll(choices.length, (index, failed) => collectAnswer(start(choices[index]!, failed)));
  return context.json({
    id,
    object: 'text_completion',
    created,
    model,
    choices: answers.map(({ text, finish, logprobs }, index) => ({
      index,
      text,
      logprobs: request.topLogprobs === undefined ? null : new LogprobsSpelling().of(logprobs),
      finish_reason: finish,
    })),
    usage: usageOf(
      prompts,
      answers.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
    ),
  });
}

function respondStreaming(
  context: GatewayContext,
  { request, id, created, model, choices, promptTokens: prompts, start }: Prepared,
  { log, closing }: AnswerDependencies,
): Response {
  const chunk = (parts: readonly object[], more: object = {}): string =>
    JSON.stringify({ id, object: 'text_completion', created, model, choices: parts, ...more });
  const withUsage = request.includeUsage ? { usage: null } : {};
  return streamSSE(context, async (stream) => {
    const ping = setInterval(() => void stream.write(': ping\n\n'), pingSeconds * 1000);
    let completionTokens = 0;
    const answer = async (index: number, failed: AbortSignal): Promise<void> => {
      const spelling = new LogprobsSpelling();
      for await (const part of start(choices[index]!, failed)) {
        const isText = part.kind === 'text';
        const logprobs = request.topLogprobs === undefined ? null : spelling.of(isText ? part.logprobs : []);
        const text = isText ? part.text : '';
        if (!isText) completionTokens += part.completionTokens;
        const finish = isText ? null : part.finish;
        await stream.writeSSE({ data: chunk([{ index, text, logprobs, finish_reason: finish }], withUsage) });
      }
    };
    try {
      await answerAll(choices.length, answer);
      if (request.includeUsage)
        await stream.writeSSE({ data: chunk([], { usage: usageOf(prompts, completionTokens) }) });
      await stream.writeSSE({ data: '[DONE]' });
    } catch (reason) {
      const error = CrucibleError.from(closing.aborted ? closing.reason : reason);
      if (!stream.aborted) await stream.writeSSE({ data: JSON.stringify(errorBody(error)) });
      if (error.code !== 'cancelled')
        log.warn({ id, code: error.code, error: error.message }, 'a streamed completion failed');
    } finally {
      clearInterval(ping);
    }
  });
}

/** Log-probabilities as the older API spells them; of one choice, part by part. */
class LogprobsSpelling {
  readonly #decoder = new TextDecoder();
  #offset = 0;

  of(content: readonly ContentLogprob[]): object {
    // Where the character begins that a token writes, or goes on with.
    const offsets = content.map(({ bytes }) => {
      const at = this.#offset;
      this.#offset += this.#decoder.decode(Uint8Array.from(bytes), { stream: true }).length;
      return at;
    });
    return {
      tokens: content.map(spelled),
      token_logprobs: content.map(({ logprob }) => (Number.isNaN(logprob) ? null : logprob)),
      top_logprobs: content.map(({ logprob, top_logprobs }) =>
        Number.isNaN(logprob) ? null : Object.fromEntries(top_logprobs.map((each) => [spelled(each), each.logprob])),
      ),
      text_offset: offsets,
    };
  }
}

/** A token that is a part of a character is told by its bytes, so that no two tokens look the same. */
function spelled({ token, bytes }: Pick<ContentLogprob, 'token' | 'bytes'>): string {
  return token.includes('\ufffd')
    ? `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`
    : token;
}

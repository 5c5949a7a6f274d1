/** Answers of a model to a prompt in tokens: text as it comes, stop strings, log-probabilities, usage. */
import { CrucibleError } from '@crucible/foundation';
import { StopMatcher } from '@crucible/prompting';
import type { ModelInfo } from '@crucible/protos/model/v1';
import type { PolicyService } from '@crucible/protos/policy/v1';
import { FinishReason, type GenerationChunk } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import { createStreamDecoder, type Tokenizer } from '@crucible/tokenizer';
import type { Caller } from './access.ts';
import type { Metrics } from './metrics.ts';

interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  /** The token's bytes; a token may be part of a character. */
  readonly bytes: readonly number[];
}

export interface ContentLogprob extends TokenLogprob {
  readonly top_logprobs: readonly TokenLogprob[];
}

/** A piece of an answer, or its end. */
export type AnswerPart =
  | { readonly kind: 'text'; readonly text: string; readonly logprobs: readonly ContentLogprob[] }
  | { readonly kind: 'end'; readonly finish: 'stop' | 'length'; readonly completionTokens: number };

/** How answers are drawn. */
export interface AnswerRequest {
  /** Undefined: as many as the context leaves. */
  readonly maxTokens: number | undefined;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly stops: readonly string[];
  readonly seed: number | undefined;
  /** Undefined: no log-probabilities. */
  readonly topLogprobs: number | undefined;
}

export interface AnswerInputs {
  readonly policy: Client<typeof PolicyService>;
  readonly model: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly prompt: readonly number[];
  readonly request: AnswerRequest;
  /** Which of `n` answers this is. */
  readonly index: number;
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly metrics: Metrics;
  /** Who pays. */
  readonly caller: Caller;
}

/** Milliseconds that an answer may take in all. */
const deadline = 10 * 60_000;

/** Leaving the loop stops the generation. */
export async function* streamAnswer(inputs: AnswerInputs): AsyncGenerator<AnswerPart, void, undefined> {
  const { metrics, caller, model, prompt, index } = inputs;
  const meter = metrics.answer(model.name);
  let ended = 'cancelled';
  try {
    // Several answers to one prompt have it read once.
    if (index === 0) {
      meter.began(prompt.length);
      caller.spendTokens(prompt.length);
    }
    const came = (tokens: number): void => {
      meter.came(tokens);
      caller.spendTokens(tokens);
    };
    for await (const part of partsOf(inputs, came)) {
      if (part.kind === 'end') ended = part.finish;
      yield part;
    }
  } catch (reason) {
    ended = CrucibleError.from(reason).code;
    throw reason;
  } finally {
    meter.ended(ended);
  }
}

async function* partsOf(
  inputs: AnswerInputs,
  came: (tokens: number) => void,
): AsyncGenerator<AnswerPart, void, undefined> {
  const { policy, model, tokenizer, prompt, request, index, requestId, signal } = inputs;
  const decoder = createStreamDecoder(tokenizer, { skipSpecialTokens: true });
  const stops = new StopMatcher(request.stops);
  const ends = new Set(model.endTokenIds);
  let completionTokens = 0;
  let finish: 'stop' | 'length' = 'stop';
  const stream = policy.generate(
    {
      model: model.name,
      promptTokenIds: [...prompt],
      requestId,
      topLogprobs: request.topLogprobs ?? 0,
      sampling: {
        maxTokens: request.maxTokens ?? 0,
        temperature: request.temperature,
        topP: request.topP,
        topK: request.topK,
        ...(request.seed !== undefined && { seed: (request.seed + index) % 2 ** 32 }),
      },
    },
    { signal, deadlineMs: deadline, metadata: { 'x-request-id': requestId } },
  );
  for await (const { event } of stream) {
    if (event.case === 'chunk') {
      let text = '';
      let read = 0;
      for (const id of event.value.tokenIds) {
        read++;
        text += stops.push(ends.has(id) ? '' : decoder.push(id));
        if (stops.stopped) break;
      }
      completionTokens += read;
      came(read);
      const logprobs = request.topLogprobs === undefined ? [] : contentLogprobs(tokenizer, event.value, read, ends);
      if (text !== '' || logprobs.length > 0) yield { kind: 'text', text, logprobs };
      // Leaving the loop cancels the call, which stops the generation.
      if (stops.stopped) break;
    } else if (event.case === 'finished') {
      if (event.value.finishReason === FinishReason.CANCELLED) {
        throw new CrucibleError('unavailable', 'the policy is shutting down; the answer was broken off');
      }
      finish = event.value.finishReason === FinishReason.LENGTH ? 'length' : 'stop';
    }
  }
  const rest = stops.push(decoder.flush()) + stops.flush();
  if (rest !== '') yield { kind: 'text', text: rest, logprobs: [] };
  if (stops.stopped) finish = 'stop';
  yield { kind: 'end', finish, completionTokens };
}

export interface WholeAnswer {
  readonly text: string;
  readonly finish: 'stop' | 'length';
  readonly completionTokens: number;
  readonly logprobs: readonly ContentLogprob[];
}

export async function collectAnswer(parts: AsyncIterable<AnswerPart>): Promise<WholeAnswer> {
  let text = '';
  const logprobs: ContentLogprob[] = [];
  for await (const part of parts) {
    if (part.kind === 'end') return { text, logprobs, finish: part.finish, completionTokens: part.completionTokens };
    text += part.text;
    logprobs.push(...part.logprobs);
  }
  throw new Error('internal: an answer without an end');
}

/** Runs the answers of a request side by side; when one fails, the others are ended. */
export async function answerAll<T>(
  count: number,
  answer: (index: number, failed: AbortSignal) => Promise<T>,
): Promise<T[]> {
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

/** As the API spells it. */
export function usageOf(promptTokens: number, completionTokens: number): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** Of the first `count` tokens of a chunk, without end tokens. */
function contentLogprobs(
  tokenizer: Tokenizer,
  { tokenIds: ids, logprobs: own, topLogprobs }: GenerationChunk,
  count: number,
  ends: ReadonlySet<number>,
): ContentLogprob[] {
  const of = (id: number, logprob: number): TokenLogprob => ({
    token: tokenizer.decode([id]),
    logprob,
    bytes: [...tokenizer.tokenBytes(id)],
  });
  return ids.slice(0, count).flatMap((id, i) => {
    if (ends.has(id)) return [];
    const { tokenIds = [], logprobs = [] } = topLogprobs[i] ?? {};
    const alternatives = tokenIds.map((other, j) => of(other, logprobs[j]!));
    return [{ ...of(id, own[i]!), top_logprobs: alternatives }];
  });
}

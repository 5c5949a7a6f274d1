/** One answer to a conversation: text as it comes, stop strings, log-probabilities, usage. */
import { CrucibleError } from '@crucible/foundation';
import { StopMatcher } from '@crucible/prompting';
import type { ModelInfo } from '@crucible/protos/model/v1';
import type { PolicyService } from '@crucible/protos/policy/v1';
import { FinishReason, type GenerationChunk } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import { createStreamDecoder, type Tokenizer } from '@crucible/tokenizer';
import type { ChatRequest } from './chat-request.ts';

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
export type CompletionPart =
  | { readonly kind: 'text'; readonly text: string; readonly logprobs: readonly ContentLogprob[] }
  | { readonly kind: 'end'; readonly finish: 'stop' | 'length'; readonly completionTokens: number };

export interface CompletionInputs {
  readonly policy: Client<typeof PolicyService>;
  readonly model: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly prompt: readonly number[];
  readonly request: ChatRequest;
  /** Which of `n` answers this is. */
  readonly index: number;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** Milliseconds that an answer may take in all. */
const deadline = 10 * 60_000;

export async function* completeChat(inputs: CompletionInputs): AsyncGenerator<CompletionPart, void, undefined> {
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

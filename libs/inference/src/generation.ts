import { invalidInput } from '@crucible/foundation';
import type { DecoderConfig } from '@crucible/nn';
import { type Choice, resolveSampling, type ResolvedSampling, type Sampling } from './sampling.ts';

export interface GenerationRequest {
  /** Token ids, at least one. */
  readonly prompt: readonly number[];
  /** Name of the adapter that the model answers with. Default: none. */
  readonly adapter?: string;
  /** Tokens at most; prompt and answer must fit the context. Default: what the context leaves. */
  readonly maxTokens?: number;
  readonly sampling?: Sampling;
  /** Tokens that end the answer; the one that did is its last token. Default: none. */
  readonly stopTokens?: readonly number[];
  /** Most probable alternatives to report with each token. Default: 0. */
  readonly alternatives?: number;
  readonly signal?: AbortSignal;
}

export interface GeneratedToken extends Choice {
  /** Most probable first; empty unless asked for. */
  readonly alternatives: readonly Choice[];
}

export type FinishReason = 'stop' | 'length' | 'cancelled';

export interface Generation {
  /** Version of the weights that the whole answer comes from. */
  readonly version: number;
  readonly tokens: readonly GeneratedToken[];
  readonly finish: FinishReason;
}

export interface ResolvedRequest {
  readonly prompt: readonly number[];
  readonly adapter: string | undefined;
  readonly maxTokens: number;
  readonly sampling: ResolvedSampling;
  readonly stopTokens: ReadonlySet<number>;
  readonly alternatives: number;
  readonly signal: AbortSignal | undefined;
}

/** Checks a request against the model before any work. `virtual`: tokens of the context that its adapter takes. */
export function resolveRequest(request: GenerationRequest, config: DecoderConfig, virtual = 0): ResolvedRequest {
  const { prompt, adapter, stopTokens = [], alternatives = 0, signal } = request;
  const context = config.maxPositions - virtual;
  if (prompt.length === 0) throw invalidInput('prompt is empty; at least one token is needed', { at: 'prompt' });
  if (prompt.length >= context) {
    throw invalidInput(
      `prompt has ${prompt.length} tokens; the context of ${context} must hold it and at least one more`,
      { at: 'prompt' },
    );
  }
  const outside = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= config.vocabularySize);
  if (outside !== undefined) {
    throw invalidInput(`prompt holds token ${outside}; ids go from 0 to ${config.vocabularySize - 1}`, {
      at: 'prompt',
    });
  }
  const room = context - prompt.length;
  const { maxTokens = room } = request;
  if (!Number.isInteger(maxTokens) || maxTokens < 1 || maxTokens > room) {
    throw invalidInput(
      `max_tokens is ${maxTokens}; it must be a whole number from 1 to ${room}, which the context of ${context} leaves after a prompt of ${prompt.length} tokens`,
      { at: 'max_tokens' },
    );
  }
  if (!Number.isInteger(alternatives) || alternatives < 0 || alternatives > config.vocabularySize) {
    throw invalidInput(
      `top_logprobs is ${alternatives}; it must be a whole number from 0 to ${config.vocabularySize}`,
      {
        at: 'top_logprobs',
      },
    );
  }
  return {
    prompt,
    adapter,
    maxTokens,
    sampling: resolveSampling(request.sampling),
    stopTokens: new Set(stopTokens),
    alternatives,
    signal,
  };
}

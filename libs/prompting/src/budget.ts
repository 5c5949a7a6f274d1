/** What a run may use up, all its samples together. */
import { invalidInput } from '@crucible/foundation';
import type { TokenUsage } from './chat-model.ts';
import type { RunUsage } from './step.ts';

export interface Limits {
  /** Questions to a model, programs, searches and uses of tools, together. Default 100. */
  readonly steps?: number;
  /** Default 5 minutes. */
  readonly timeMs?: number;
  /** Of prompts and answers together. Default 200,000. */
  readonly tokens?: number;
}

export type LimitReason = 'steps' | 'time' | 'tokens' | 'context';

/** Ends a run from within; the runner makes an `end` of it. */
export class LimitReached extends Error {
  readonly limit: LimitReason;

  constructor(limit: LimitReason) {
    super(`the limit of ${limit} was reached`);
    this.name = 'LimitReached';
    this.limit = limit;
  }
}

const defaults = { steps: 100, timeMs: 5 * 60_000, tokens: 200_000 };

export function resolveLimits(limits: Limits): Required<Limits> {
  const resolved = { ...defaults, ...limits };
  for (const name of ['steps', 'timeMs', 'tokens'] as const) {
    const value = resolved[name];
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalidInput(`limits.${name}: ${value} is given; a whole number of at least 1 is allowed`, {
        at: `limits.${name}`,
      });
  }
  return resolved;
}

export class Budget {
  readonly #limits: Required<Limits>;
  #steps = 0;
  #calls = 0;
  #promptTokens = 0;
  #completionTokens = 0;
  #estimated = false;

  constructor(limits: Required<Limits>) {
    this.#limits = limits;
  }

  takeStep(): void {
    if (this.#steps >= this.#limits.steps) throw new LimitReached('steps');
    this.#steps++;
  }

  /** The number of the next question to a model, from 1. */
  takeCall(): number {
    this.takeStep();
    return ++this.#calls;
  }

  get tokensLeft(): number {
    return this.#limits.tokens - this.#promptTokens - this.#completionTokens;
  }

  spend({ promptTokens, completionTokens }: TokenUsage, estimated: boolean): void {
    this.#promptTokens += promptTokens;
    this.#completionTokens += completionTokens;
    this.#estimated ||= estimated;
  }

  get usage(): RunUsage {
    return {
      calls: this.#calls,
      promptTokens: this.#promptTokens,
      completionTokens: this.#completionTokens,
      estimated: this.#estimated,
    };
  }
}

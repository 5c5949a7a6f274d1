/**
 * Steps of a run over its interruptions. A run that is resumed is done again from its first step, with the answers that
 * were recorded: what was told before is not told again, and what is new is numbered behind it.
 */
import type { Step } from '@crucible/prompting';
import { canonicalJson } from './canonical-json.ts';

export class StepLedger {
  #last: number;
  #lastCall: number;
  /** Steps that were told and have not come again, by what they say. */
  readonly #told = new Map<string, Step[]>();
  /** Calls of this time by calls as they were told. Samples that are drawn side by side may come in another order. */
  readonly #calls = new Map<number, number>();
  readonly #completed = new Set<number>();

  /** `seen`: the number of the last step that somebody has seen, of those that are not kept too. */
  constructor(told: readonly Step[] = [], seen = 0) {
    this.#last = Math.max(seen, told.at(-1)?.number ?? 0);
    this.#lastCall = Math.max(0, ...told.map((step) => ('call' in step ? step.call : 0)));
    for (const step of told) {
      const key = keyOf(step);
      this.#told.set(key, [...(this.#told.get(key) ?? []), step]);
      if (step.kind === 'completion') this.#completed.add(step.call);
    }
  }

  /** The step as it is to be told; undefined: it was. */
  take(step: Step, elapsedMs: number): Step | undefined {
    const before = this.#told.size > 0 ? this.#told.get(keyOf(step))?.shift() : undefined;
    if (before !== undefined) {
      if ('call' in step && 'call' in before) this.#calls.set(step.call, before.call);
      return undefined;
    }
    let call = {};
    if ('call' in step) {
      if (!this.#calls.has(step.call)) this.#calls.set(step.call, ++this.#lastCall);
      const known = this.#calls.get(step.call)!;
      // Pieces of text are not kept: those of a completion that was told were told too.
      if (step.kind === 'text' && this.#completed.has(known)) return undefined;
      call = { call: known };
    }
    return { ...step, ...call, number: ++this.#last, elapsedMs };
  }
}

function keyOf(step: Step): string {
  return canonicalJson({ ...step, number: 0, elapsedMs: 0, call: 0 });
}

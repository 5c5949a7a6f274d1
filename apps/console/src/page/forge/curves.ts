/** The curves of a job: points by stage and figure, and as few of them as a picture can show. */
import type { Point } from '../api/jobs.ts';

export interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

export interface StageCurves {
  readonly stage: string;
  readonly step: number;
  /** 0: not known. */
  readonly steps: number;
  readonly byName: ReadonlyMap<string, readonly CurvePoint[]>;
}

/** Takes points as they come; events that came already are passed over, and a stage that goes on from a checkpoint goes back. */
export class Curves {
  readonly #stages = new Map<string, { step: number; steps: number; readonly byName: Map<string, CurvePoint[]> }>();
  #last = 0;

  add(points: readonly Point[]): void {
    for (const { sequence, stage, step, steps, metrics } of points) {
      if (sequence <= this.#last) continue;
      this.#last = sequence;
      const known = this.#stages.get(stage) ?? { step, steps, byName: new Map<string, CurvePoint[]>() };
      this.#stages.set(stage, known);
      known.step = step;
      known.steps = steps;
      for (const [name, value] of Object.entries(metrics)) {
        if (!Number.isFinite(value)) continue;
        const curve = known.byName.get(name) ?? [];
        known.byName.set(name, curve);
        while (curve.length > 0 && curve.at(-1)!.step >= step) curve.pop();
        curve.push({ step, value });
      }
    }
  }

  /** What there is now, in the order in which stages came. */
  view(): readonly StageCurves[] {
    return [...this.#stages].map(([stage, { step, steps, byName }]) => ({
      stage,
      step,
      steps,
      byName: new Map([...byName].map(([name, curve]) => [name, thinned(curve)])),
    }));
  }
}

/**
 * At most `most` points (or two more): of every stretch the lowest and the highest, so that no peak is lost, and the
 * first and last.
 */
export function thinned(curve: readonly CurvePoint[], most = 400): readonly CurvePoint[] {
  if (curve.length <= most) return [...curve];
  const stretches = Math.floor(most / 2);
  const kept: CurvePoint[] = [curve[0]!];
  for (let i = 0; i < stretches; i++) {
    const from = Math.floor((i * curve.length) / stretches);
    const to = Math.floor(((i + 1) * curve.length) / stretches);
    let [low, high] = [from, from];
    for (let at = from; at < to; at++) {
      if (curve[at]!.value < curve[low]!.value) low = at;
      if (curve[at]!.value > curve[high]!.value) high = at;
    }
    for (const at of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) {
      if (at !== 0 && at !== curve.length - 1) kept.push(curve[at]!);
    }
  }
  kept.push(curve.at(-1)!);
  return kept;
}

/** Two to five round numbers from `low` to `high`, which are not the same. */
export function ticks(low: number, high: number): readonly number[] {
  const raw = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10);
  const found: number[] = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++)
    found.push(Number((at * step).toPrecision(12)));
  return found;
}

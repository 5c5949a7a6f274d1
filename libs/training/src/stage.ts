/** What a stage is given by whoever runs it, and the loop that all stages share. */
import { throwIfCancelled } from '@crucible/foundation';
import type { StageCheckpoint } from './stage-checkpoint.ts';

/** The four stages of the forge. */
export type StageName = 'pretrain' | 'sft' | 'reward' | 'ppo';

export interface StageProgress {
  readonly stage: StageName;
  /** Optimizer steps (for PPO: iterations) done. */
  readonly step: number;
  readonly steps: number;
  /** Under the field's usual names; see each stage. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Something for people: samples, a warning. */
  readonly message?: string;
}

export interface StageContext<Weights> {
  readonly signal?: AbortSignal;
  /** Now and then, for people: figures are smoothed. */
  readonly report?: (progress: StageProgress) => void;
  /** After every step, for curves: the step's own figures. */
  readonly observe?: (progress: StageProgress) => void;
  /**
   * Takes the weights as they are: every so often, and when the stage is done. The arrays are not changed afterwards.
   */
  readonly publish?: (weights: Weights, info: SnapshotInfo) => Promise<void>;
  /** Where the stage saves itself, and goes on from if something is there. Default: nowhere. */
  readonly checkpoint?: StageCheckpoint;
  /** Seconds between checkpoints. Default: 20. */
  readonly checkpointSeconds?: number;
  /** Seconds between snapshots for `publish`, the first after the first step. Default: 30. */
  readonly publishSeconds?: number;
}

export interface SnapshotInfo {
  readonly step: number;
  readonly finished: boolean;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface LoopParts<Weights> {
  readonly stage: StageName;
  readonly steps: number;
  /** Steps done before a resumption. */
  readonly done: number;
  /** Makes step `n` (from 0) and returns its metrics. */
  readonly step: (n: number) => Promise<Readonly<Record<string, number>>>;
  readonly weights: () => Weights;
  readonly save: (checkpoint: StageCheckpoint) => Promise<void>;
  /** Figures on held-out data; run every `evaluateEvery` steps and at the end. */
  readonly evaluate?: () => Promise<Readonly<Record<string, number>>>;
  /** Default: only at the end. */
  readonly evaluateEvery?: number;
}

/**
 * Runs the steps that are left, reporting, saving and publishing snapshots on the way. The finished weights are the
 * stage's to publish. Returns the last figures.
 */
export async function runLoop<Weights>(
  parts: LoopParts<Weights>,
  context: StageContext<Weights>,
): Promise<Readonly<Record<string, number>>> {
  const { stage, steps } = parts;
  const { signal, checkpoint, checkpointSeconds = 20, publishSeconds = 30 } = context;
  const shown = new SmoothedMetrics();
  let lastSave = performance.now();
  let savedStep = parts.done;
  let lastPublish = parts.done === 0 ? -Infinity : performance.now();
  let lastReport = 0;
  let evaluated: Readonly<Record<string, number>> = {};
  const report = (step: number): void => {
    lastReport = performance.now();
    context.report?.({ stage, step, steps, metrics: { ...shown.values, ...evaluated } });
  };
  const since = (then: number): number => (performance.now() - then) / 1000;

  for (let n = parts.done; n < steps; n++) {
    if (signal?.aborted && checkpoint && n > savedStep) await parts.save(checkpoint);
    throwIfCancelled(signal, stage);
    const own = await parts.step(n);
    shown.add(own);
    context.observe?.({ stage, step: n + 1, steps, metrics: own });
    const isLast = n + 1 === steps;
    const isDue = parts.evaluateEvery !== undefined && (n + 1) % parts.evaluateEvery === 0;
    if (parts.evaluate && (isLast || isDue)) evaluated = await parts.evaluate();
    if (isLast || since(lastReport) >= 0.25) report(n + 1);
    if (checkpoint && (isLast || since(lastSave) >= checkpointSeconds)) {
      await parts.save(checkpoint);
      lastSave = performance.now();
      savedStep = n + 1;
    }
    if (!isLast && since(lastPublish) >= publishSeconds) {
      await context.publish?.(parts.weights(), {
        step: n + 1,
        finished: false,
        metrics: { ...shown.values, ...evaluated },
      });
      lastPublish = performance.now();
    }
  }
  if (parts.done >= steps && parts.evaluate) evaluated = await parts.evaluate();
  return { ...shown.values, ...evaluated };
}

/** Exponential moving averages, corrected for their start; single steps are too noisy to read. */
class SmoothedMetrics {
  readonly #decay = 0.9;
  readonly #sums = new Map<string, { sum: number; weight: number }>();

  add(metrics: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(metrics)) {
      const { sum, weight } = this.#sums.get(name) ?? { sum: 0, weight: 0 };
      this.#sums.set(name, {
        sum: this.#decay * sum + (1 - this.#decay) * value,
        weight: this.#decay * weight + (1 - this.#decay),
      });
    }
  }

  get values(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([name, { sum, weight }]) => [name, sum / weight]));
  }
}

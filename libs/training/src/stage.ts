/** What a stage is given by whoever runs it, and the loop that all stages share. */
import { throwIfCancelled } from '@crucible/foundation';
import type { DeviceChoice, Precision } from '@crucible/tensor';
import type { SavedStage, StageCheckpoint } from './stage-checkpoint.ts';

/** The four stages of the forge. */
export type ForgeStageName = 'pretrain' | 'sft' | 'reward' | 'ppo';

/** Every stage; `mlm` pre-trains an encoder. */
export type StageName = ForgeStageName | 'mlm';

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

/** Where and how steps compute. */
export interface Computing {
  /** Where the stage computes. Default: `cpu`. */
  readonly device?: DeviceChoice;
  /** What matrix products of training are worked out in. Default: `float32`. */
  readonly precision?: Precision;
}

export interface StageContext<Weights> extends Computing {
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
  /** What the stage goes on from. */
  readonly saved: SavedStage | undefined;
  /** Makes step `n` (from 0) and returns its metrics. */
  readonly step: (n: number) => Promise<Readonly<Record<string, number>>>;
  readonly weights: () => Promise<Weights>;
  /** All that the stage goes on from; the loop adds its own figures to the record. */
  readonly state: () => Promise<SavedStage>;
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
  const done = parts.saved?.step ?? 0;
  const figures = parts.saved?.record['figures'] as SavedFigures | undefined;
  const shown = new SmoothedMetrics(figures?.smoothed);
  let evaluated = figures?.evaluated ?? {};
  let lastSave = performance.now();
  let savedStep = done;
  let lastPublish = done === 0 ? -Infinity : performance.now();
  let lastReport = 0;
  const report = (step: number): void => {
    lastReport = performance.now();
    context.report?.({ stage, step, steps, metrics: { ...shown.values, ...evaluated } });
  };
  const save = async (to: StageCheckpoint): Promise<void> => {
    const state = await parts.state();
    const figures: SavedFigures = { smoothed: shown.sums, evaluated };
    await to.save({ ...state, record: { ...state.record, figures } });
  };
  const since = (then: number): number => (performance.now() - then) / 1000;

  for (let n = done; n < steps; n++) {
    if (signal?.aborted && checkpoint && n > savedStep) await save(checkpoint);
    throwIfCancelled(signal, stage);
    const own = await parts.step(n);
    shown.add(own);
    context.observe?.({ stage, step: n + 1, steps, metrics: own });
    const isLast = n + 1 === steps;
    const isDue = parts.evaluateEvery !== undefined && (n + 1) % parts.evaluateEvery === 0;
    if (parts.evaluate && (isLast || isDue)) evaluated = await parts.evaluate();
    if (isLast || since(lastReport) >= 0.25) report(n + 1);
    if (checkpoint && (isLast || since(lastSave) >= checkpointSeconds)) {
      await save(checkpoint);
      lastSave = performance.now();
      savedStep = n + 1;
    }
    if (!isLast && since(lastPublish) >= publishSeconds) {
      await context.publish?.(await parts.weights(), {
        step: n + 1,
        finished: false,
        metrics: { ...shown.values, ...evaluated },
      });
      lastPublish = performance.now();
    }
  }
  // Killed between its last step and the end: who asks learns what has been reached.
  if (done >= steps) report(steps);
  return { ...shown.values, ...evaluated };
}

/** The part of a context that says where and how. */
export function computingOf({ device, precision }: Computing): Computing {
  return { ...(device !== undefined && { device }), ...(precision !== undefined && { precision }) };
}

/** Figures so far, as a checkpoint's record holds them. */
interface SavedFigures {
  readonly smoothed: SmoothedSums;
  readonly evaluated: Readonly<Record<string, number>>;
}

type SmoothedSums = Readonly<Record<string, { readonly sum: number; readonly weight: number }>>;

/** Exponential moving averages, corrected for their start; single steps are too noisy to read. */
class SmoothedMetrics {
  readonly #decay = 0.9;
  readonly #sums: Map<string, SmoothedSums[string]>;

  constructor(sums: SmoothedSums = {}) {
    this.#sums = new Map(Object.entries(sums));
  }

  get sums(): SmoothedSums {
    return Object.fromEntries(this.#sums);
  }

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

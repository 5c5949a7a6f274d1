/** Memory of a training step: told before its program is made, and refused where there is not so much. */
import { CrucibleError } from '@crucible/foundation';
import type { MemoryEstimate } from '@crucible/tensor';

/** Bytes. */
export interface StepMemory {
  /** Parameters, state of the optimizer, frozen weights and the batch: there before the step. */
  readonly inputs: number;
  /** Activations and logits that are there at one time, at most. */
  readonly between: number;
  /** What is given out anew at every step, until that of the steps before is collected. */
  readonly results: number;
  /** Arrays that stay: gradients, and parameters and moments that steps write over. */
  readonly held: number;
  /** What the compiler and the runtime take for themselves. */
  readonly overhead: number;
  /** All beyond the inputs. */
  readonly needed: number;
}

/** Measured, not derived: see step-memory.slow.test.ts, which holds predictions against what steps take. */
const overhead = 100 * 2 ** 20;
const shareOfBetween = 1.1;
const shareOfResults = 3.2;

/** How far a prediction may be off, up or down. */
export const predictionBand = 0.3;

/** Of a program; `owned` bytes of parameters and moments are there beside it. */
export function stepMemory({ inputs, constants, between, results, held }: MemoryEstimate, owned = 0): StepMemory {
  // The results are among what lies between when they are made.
  const parts = {
    between: shareOfBetween * (between - Math.min(between, results)) + 2 * constants,
    results: shareOfResults * results,
    held: held + owned,
  };
  return { inputs, ...parts, overhead, needed: parts.between + parts.results + parts.held + overhead };
}

/**
 * Throws where the step surely does not fit: even what it takes at least, by the band, is more than there is. `free`: bytes
 * that the process may still take, by the machine's and the container's limits.
 */
export function assertStepFits(name: string, memory: StepMemory, free = process.availableMemory()): void {
  if (memory.needed * (1 - predictionBand) <= free) return;
  const { needed, inputs, between, results, held } = memory;
  throw new CrucibleError(
    'resource-exhausted',
    `${name}: a step takes about ${gigabytes(needed)} beside the ${gigabytes(inputs)} of its inputs, and ${gigabytes(free)} are free; ${gigabytes(between)} of it are activations and logits, and ${gigabytes(results + held)} gradients and new parameters and moments. Fewer rows at a time (microBatches, rows) or shorter ones (time) take less of the first, an adapter (--adapter lora) of both`,
    { at: 'rows' },
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

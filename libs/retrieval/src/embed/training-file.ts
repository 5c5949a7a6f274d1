/** How far the training of an embedder is, in a file: all that its next steps depend on. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { type RandomState, writeFileAtomic } from '@crucible/foundation';
import type { OptimizerState } from '@crucible/optim';
import type { NdArray } from '@crucible/tensor';

export interface SamplerState {
  readonly random: RandomState;
  readonly order: readonly number[];
  readonly drawn: number;
}

export interface TrainingState {
  readonly steps: number;
  readonly table: Float32Array;
  readonly state: OptimizerState<NdArray>;
  readonly sampler: SamplerState;
}

export class TrainingFile {
  readonly #path: string;
  readonly #digest: string;

  /** `task`: all that the training depends on; what another task has left in the file is not gone on with. */
  constructor(path: string, task: readonly unknown[]) {
    this.#path = path;
    const digest = createHash('sha256');
    for (const part of task)
      if (Array.isArray(part)) for (const each of part) digest.update(JSON.stringify(each)).update('\n');
      else digest.update(JSON.stringify(part));
    this.#digest = digest.digest('hex');
  }

  /** Undefined: there is none of this task, or it is damaged. */
  read(): TrainingState | undefined {
    try {
      const { digest, ...state } = deserialize(readFileSync(this.#path)) as TrainingState & { digest: string };
      return digest === this.#digest ? state : undefined;
    } catch {
      return undefined;
    }
  }

  write(state: TrainingState): void {
    writeFileAtomic(this.#path, serialize({ digest: this.#digest, ...state }));
  }
}

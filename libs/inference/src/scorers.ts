/** Forward passes over given tokens: log-probabilities of answers, and scores of reward and value models. */
import {
  decode,
  hiddenRows,
  languageLogits,
  type LanguageModelWeights,
  type LlamaConfig,
  type ScalarModelWeights,
  scalarScores,
} from '@crucible/nn';
import { compile, type IntArray, ints, logProbability, mul, type Tensor, type TensorType } from '@crucible/tensor';
import { nextPowerOfTwo } from './buckets.ts';
import { ProgramCache } from './program-cache.ts';
import type { ProgramOptions } from './language-programs.ts';

/** Packed rows of tokens; see the packing of batches. int32 [rows, time] each. */
export interface TokenRows {
  readonly ids: IntArray;
  readonly positions: IntArray;
  readonly segments: IntArray;
}

interface RowSignature {
  readonly ids: TensorType;
  readonly positions: TensorType;
  readonly segments: TensorType;
  readonly at: TensorType;
}

type LanguageSignature = RowSignature & {
  readonly weights: LanguageModelWeights;
  readonly targets: TensorType;
  readonly inverseTemperature: TensorType;
};
type ScalarSignature = RowSignature & { readonly weights: ScalarModelWeights };

function rowTypes(rows: number, time: number, count: number): RowSignature {
  const grid: TensorType = { shape: [rows, time], dtype: 'int32' };
  return { ids: grid, positions: grid, segments: grid, at: { shape: [count], dtype: 'int32' } };
}

/** Log-probabilities of tokens under a language model. Programs serve any weights of the same shapes. */
export class LogProbabilityScorer {
  readonly #programs: ProgramCache<LanguageSignature, { readonly values: Tensor }>;

  constructor(weights: LanguageModelWeights, config: LlamaConfig, options: ProgramOptions = {}) {
    this.#programs = new ProgramCache<LanguageSignature, { readonly values: Tensor }>((rows, time, count) => {
      const types = rowTypes(rows, time, count);
      return compile<LanguageSignature, { values: Tensor }>(
        { weights, ...types, targets: types.at, inverseTemperature: { shape: [], dtype: 'float32' } },
        (inputs) => {
          const { hidden } = decode(inputs.weights.model, config, inputs);
          const logits = languageLogits(inputs.weights, hiddenRows(hidden, inputs.at));
          return { values: logProbability(mul(logits, inputs.inverseTemperature), inputs.targets) };
        },
        { ...options, name: 'log-probabilities' },
      );
    });
  }

  /**
   * The natural logarithm of the probability of token `targets[i]` after the token at index `at[i]` (counted over all
   * rows), under logits divided by `temperature`.
   */
  async score(
    weights: LanguageModelWeights,
    rows: TokenRows,
    at: readonly number[],
    targets: readonly number[],
    temperature: number,
  ): Promise<Float32Array> {
    const [height, time] = rows.ids.shape as [number, number];
    const count = nextPowerOfTwo(at.length, 64);
    const program = await this.#programs.get(height, time, count);
    const { values } = await program.run({
      weights,
      ...pick(rows),
      at: ints([count], padded(at, count)),
      targets: ints([count], padded(targets, count)),
      inverseTemperature: { dtype: 'float32', shape: [], data: Float32Array.of(1 / temperature) },
    });
    return (values.data as Float32Array).subarray(0, at.length);
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
  }
}

/** Scores of tokens under a reward or value model. Programs serve any weights of the same shapes. */
export class ScalarScorer {
  readonly #programs: ProgramCache<ScalarSignature, { readonly values: Tensor }>;

  constructor(weights: ScalarModelWeights, config: LlamaConfig, options: ProgramOptions = {}) {
    this.#programs = new ProgramCache<ScalarSignature, { readonly values: Tensor }>((rows, time, count) =>
      compile<ScalarSignature, { values: Tensor }>(
        { weights, ...rowTypes(rows, time, count) },
        (inputs) => {
          const { hidden } = decode(inputs.weights.model, config, inputs);
          return { values: scalarScores(inputs.weights, hiddenRows(hidden, inputs.at)) };
        },
        { ...options, name: 'scores' },
      ),
    );
  }

  /** The model's number for the token at each index `at[i]`, counted over all rows. */
  async score(weights: ScalarModelWeights, rows: TokenRows, at: readonly number[]): Promise<Float32Array> {
    const [height, time] = rows.ids.shape as [number, number];
    const count = nextPowerOfTwo(at.length, 64);
    const program = await this.#programs.get(height, time, count);
    const { values } = await program.run({ weights, ...pick(rows), at: ints([count], padded(at, count)) });
    return (values.data as Float32Array).subarray(0, at.length);
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
  }
}

function pick({ ids, positions, segments }: TokenRows): TokenRows {
  return { ids, positions, segments };
}

function padded(values: readonly number[], length: number): Int32Array {
  const result = new Int32Array(length);
  result.set(values);
  return result;
}

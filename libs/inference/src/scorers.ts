/** Forward passes over given tokens: log-probabilities of answers, and scores of reward and value models. */
import {
  adaptDecoder,
  decode,
  type DecoderConfig,
  hiddenRows,
  languageLogits,
  languageLogProbability,
  type ModelWeights,
  type ParameterTree,
  type QuantizedWeights,
  scalarScores,
  withQuantized,
} from '@crucible/nn';
import { compile, ints, mul, PlacedTree, scalar, type Tensor, type TensorType } from '@crucible/tensor';
import { blockHeight, packSequences, type PackedRows, type RowBlock, rowBlocks } from './packing.ts';
import { type Choice, topTokens } from './sampling.ts';
import { countBucket } from './buckets.ts';
import type { ServedAdapter } from './served-adapters.ts';
import { ProgramCache } from './program-cache.ts';
import type { ProgramOptions } from './language-programs.ts';

interface RowSignature {
  readonly ids: TensorType;
  readonly positions: TensorType;
  readonly segments: TensorType;
  readonly branches: TensorType;
  readonly at: TensorType;
}

type LanguageSignature = RowSignature & {
  readonly weights: ModelWeights;
  /** Of the adapter; {} without. */
  readonly learned: ModelWeights;
  readonly targets: TensorType;
  readonly inverseTemperature: TensorType;
};
type ScalarSignature = RowSignature & { readonly weights: ModelWeights };

type RowSizes = [rows: number, time: number, count: number];

function rowTypes(rows: number, time: number, count: number): RowSignature {
  const grid: TensorType = { shape: [rows, time], dtype: 'int32' };
  return { ids: grid, positions: grid, segments: grid, branches: grid, at: { shape: [count], dtype: 'int32' } };
}

/**
 * Log-probabilities of tokens under a language model, with an adapter or without. Programs serve any weights of the same
 * shapes.
 */
export class LogProbabilityScorer {
  readonly #programs: ProgramCache<RowSizes, LanguageSignature, { readonly values: Tensor }>;
  readonly #logits: ProgramCache<RowSizes, LanguageSignature, { readonly logits: Tensor }>;
  readonly #weights = new PlacedTree<ModelWeights>();
  readonly #learned: ModelWeights;

  constructor(
    weights: ModelWeights,
    config: DecoderConfig,
    {
      adapter,
      quantized = new Map(),
      ...options
    }: ProgramOptions & {
      readonly adapter?: Pick<ServedAdapter, 'config' | 'parameters'>;
      readonly quantized?: QuantizedWeights;
    } = {},
  ) {
    this.#learned = adapter?.parameters ?? {};
    const compileFor = <O>(
      finish: (model: ParameterTree<Tensor>, hidden: Tensor, targets: Tensor) => O,
      name: string,
    ) =>
      new ProgramCache<RowSizes, LanguageSignature, O>((rows, time, count) => {
        const types = rowTypes(rows, time, count);
        return compile<LanguageSignature, O>(
          {
            weights,
            learned: this.#learned,
            ...types,
            targets: types.at,
            inverseTemperature: { shape: [], dtype: 'float32' },
          },
          (inputs) => {
            const present = withQuantized(inputs.weights, quantized);
            const adapted = adapter
              ? adaptDecoder(present, config, inputs.learned, adapter.config)
              : { weights: present, prefix: undefined };
            const { hidden } = decode(adapted.weights, config, { ...inputs, prefix: adapted.prefix });
            const chosen = mul(hiddenRows(hidden, inputs.at), inputs.inverseTemperature);
            return finish(adapted.weights, chosen, inputs.targets);
          },
          { ...options, name },
        );
      });
    this.#programs = compileFor(
      (model, hidden, targets) => ({ values: languageLogProbability(model, config, hidden, targets) }),
      'log-probabilities',
    );
    this.#logits = compileFor((model, hidden) => ({ logits: languageLogits(model, config, hidden) }), 'logits');
  }

  /**
   * The natural logarithm of the probability of token `targets[i]` after the token at index `at[i]` (counted over all
   * rows), under logits divided by `temperature`.
   */
  async score(
    weights: ModelWeights,
    rows: PackedRows,
    at: readonly number[],
    targets: readonly number[],
    temperature: number,
  ): Promise<Float32Array> {
    const result = new Float32Array(at.length);
    for (const block of blocksAskedFor(rows, at)) {
      const chosen = block.asked.map((i) => targets[i]!);
      const { program, inputs } = await this.#prepare(this.#programs, weights, block, chosen, temperature);
      const { values } = await program.run(inputs);
      block.asked.forEach((index, i) => (result[index] = values.data[i]!));
    }
    return result;
  }

  /** The `count` most probable tokens after each index `at[i]`, most probable first. */
  async mostProbable(
    weights: ModelWeights,
    rows: PackedRows,
    at: readonly number[],
    temperature: number,
    count: number,
  ): Promise<Choice[][]> {
    const result = new Array<Choice[]>(at.length);
    for (const block of blocksAskedFor(rows, at)) {
      const { program, inputs } = await this.#prepare(this.#logits, weights, block, [], temperature);
      const { logits } = await program.run(inputs);
      const vocabulary = logits.shape[1]!;
      const row = (i: number): Float32Array =>
        (logits.data as Float32Array).subarray(i * vocabulary, (i + 1) * vocabulary);
      block.asked.forEach((index, i) => (result[index] = topTokens(row(i), 1, count)));
    }
    return result;
  }

  async #prepare<O>(
    programs: ProgramCache<RowSizes, LanguageSignature, O>,
    weights: ModelWeights,
    { rows, at }: RowBlock,
    targets: ArrayLike<number>,
    temperature: number,
  ) {
    const [height, time] = rows.ids.shape as [number, number];
    const count = countBucket(at.length);
    const program = await programs.get(height, time, count);
    const inputs = {
      weights: await this.#weights.place(weights, program.device),
      learned: this.#learned,
      ...rows,
      at: ints([count], padded(at, count)),
      targets: ints([count], padded(targets, count)),
      inverseTemperature: scalar(1 / temperature),
    };
    return { program, inputs };
  }

  async dispose(): Promise<void> {
    this.#weights.dispose();
    await this.#programs.dispose();
    await this.#logits.dispose();
  }
}

/** Scores of tokens under a reward or value model. Programs serve any weights of the same shapes. */
export class ScalarScorer {
  readonly #programs: ProgramCache<RowSizes, ScalarSignature, { readonly values: Tensor }>;
  readonly #weights = new PlacedTree<ModelWeights>();

  constructor(weights: ModelWeights, config: DecoderConfig, options: ProgramOptions = {}) {
    this.#programs = new ProgramCache<RowSizes, ScalarSignature, { readonly values: Tensor }>((rows, time, count) =>
      compile<ScalarSignature, { values: Tensor }>(
        { weights, ...rowTypes(rows, time, count) },
        (inputs) => {
          const { hidden } = decode(inputs.weights, config, inputs);
          return { values: scalarScores(inputs.weights, hiddenRows(hidden, inputs.at)) };
        },
        { ...options, name: 'scores' },
      ),
    );
  }

  /** The model's number for the token at each index `at[i]`, counted over all rows. */
  async score(weights: ModelWeights, rows: PackedRows, at: readonly number[]): Promise<Float32Array> {
    const result = new Float32Array(at.length);
    for (const { rows: part, asked, at: places } of blocksAskedFor(rows, at)) {
      const [height, time] = part.ids.shape as [number, number];
      const count = countBucket(places.length);
      const program = await this.#programs.get(height, time, count);
      const { values } = await program.run({
        weights: await this.#weights.place(weights, program.device),
        ...part,
        at: ints([count], padded(places, count)),
      });
      asked.forEach((index, i) => (result[index] = values.data[i]!));
    }
    return result;
  }

  async dispose(): Promise<void> {
    this.#weights.dispose();
    await this.#programs.dispose();
  }
}

export interface RowOptions {
  /** Tokens of a row; longer sequences lose their beginning. */
  readonly time: number;
  readonly pad: number;
}

/** Tokens of one pass of `scoreSequences`, beginnings that are shared counted for each. */
const tokensAtOnce = 16_384;

/** Scores of whole sequences, read at their last tokens, in their order. */
export async function scoreSequences(
  scorer: ScalarScorer,
  weights: ModelWeights,
  sequences: readonly (readonly number[])[],
  { time, pad }: RowOptions,
): Promise<number[]> {
  const scores: number[] = [];
  const shortened = sequences.map((ids) => ids.slice(-time));
  while (scores.length < shortened.length) {
    const part = firstTokens(shortened.slice(scores.length), tokensAtOnce);
    const { packed, places } = packSequences(part, { time, pad, rowMultiple: blockHeight(time) });
    const ends = places.map((place) => place.at(-1)!);
    scores.push(...(await scorer.score(weights, packed, ends)));
  }
  return scores;
}

/** As many sequences from the front as have at most `tokens` tokens, or one. */
function firstTokens(sequences: readonly (readonly number[])[], tokens: number): readonly (readonly number[])[] {
  let total = 0;
  const end = sequences.findIndex(({ length }) => (total += length) > tokens);
  return end === -1 ? sequences : sequences.slice(0, Math.max(1, end));
}

function blocksAskedFor(rows: PackedRows, at: readonly number[]): RowBlock[] {
  return rowBlocks(rows, at).filter(({ asked }) => asked.length > 0);
}

function padded(values: ArrayLike<number>, length: number): Int32Array {
  const result = new Int32Array(length);
  result.set(values);
  return result;
}

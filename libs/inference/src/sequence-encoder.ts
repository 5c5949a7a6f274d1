/**
 * One vector for each of many token sequences, by an encoder: embeddings, or logits of a classifier. Sequences of like
 * length share a pass, so that little of it is padding.
 */
import { invalidInput } from '@crucible/foundation';
import { classifierLogits, encode, type EncoderConfig, type ModelWeights, pool, type Pooling } from '@crucible/nn';
import { compile, ints, PlacedTree, type Tensor, type TensorType } from '@crucible/tensor';
import { nextPowerOfTwo, timeBucket } from './buckets.ts';
import type { ProgramOptions } from './language-programs.ts';
import { ProgramCache } from './program-cache.ts';

/** What is made of the states of a sequence's tokens. */
export type SequenceHead = { readonly kind: 'embedding'; readonly pooling: Pooling } | { readonly kind: 'classifier' };

export interface EncoderSequence {
  /** Token ids, special tokens included; at least one, and at most the model's context. */
  readonly ids: readonly number[];
  /** Type of each token. Default: all 0. */
  readonly types?: readonly number[];
}

interface Signature {
  readonly weights: ModelWeights;
  readonly ids: TensorType;
  readonly mask: TensorType;
  readonly types: TensorType;
}

/** Sequences of one pass, and tokens of one pass counted with padding. */
const mostRows = 64;
const mostTokens = 4096;

export class SequenceEncoder {
  readonly #weights: ModelWeights;
  readonly #placed = new PlacedTree<ModelWeights>();
  readonly #config: EncoderConfig;
  readonly #programs: ProgramCache<[rows: number, time: number], Signature, { readonly vectors: Tensor }>;

  constructor(weights: ModelWeights, config: EncoderConfig, head: SequenceHead, options: ProgramOptions = {}) {
    this.#weights = weights;
    this.#config = config;
    this.#programs = new ProgramCache((rows, time) => {
      const grid: TensorType = { shape: [rows, time], dtype: 'int32' };
      return compile<Signature, { vectors: Tensor }>(
        { weights, ids: grid, mask: grid, types: grid },
        (inputs) => {
          const hidden = encode(inputs.weights, config, inputs);
          const isPooled = head.kind === 'embedding';
          return {
            vectors: isPooled
              ? pool(hidden, inputs.mask, head.pooling)
              : classifierLogits(inputs.weights, config, hidden),
          };
        },
        { ...options, name: 'encoder' },
      );
    });
  }

  /** The vectors of all sequences, in their order. Calls must not overlap. */
  async encode(sequences: readonly EncoderSequence[]): Promise<Float32Array[]> {
    sequences.forEach((sequence, i) => this.#assertReadable(sequence, i));
    const order = sequences
      .map((_sequence, i) => i)
      .sort((a, b) => sequences[a]!.ids.length - sequences[b]!.ids.length);
    const result = new Array<Float32Array>(sequences.length);
    const timeOf = (i: number): number => timeBucket(sequences[i]!.ids.length, this.#config.maxPositions);
    while (order.length > 0) {
      let count = 1;
      while (count < Math.min(order.length, mostRows) && timeOf(order[count]!) * (count + 1) <= mostTokens) count++;
      const chosen = order.splice(0, count);
      const vectors = await this.#pass(
        chosen.map((i) => sequences[i]!),
        timeOf(chosen.at(-1)!),
      );
      chosen.forEach((i, row) => (result[i] = vectors[row]!));
    }
    return result;
  }

  async dispose(): Promise<void> {
    this.#placed.dispose();
    await this.#programs.dispose();
  }

  async #pass(sequences: readonly EncoderSequence[], time: number): Promise<Float32Array[]> {
    const rows = nextPowerOfTwo(sequences.length);
    // The positions of RoBERTa go by its padding token.
    const ids = new Int32Array(rows * time).fill('padId' in this.#config ? this.#config.padId : 0);
    const [mask, types] = [new Int32Array(rows * time), new Int32Array(rows * time)];
    sequences.forEach((sequence, row) => {
      ids.set(sequence.ids, row * time);
      types.set(sequence.types ?? [], row * time);
      mask.fill(1, row * time, row * time + sequence.ids.length);
    });
    const program = await this.#programs.get(rows, time);
    const grid = (values: Int32Array) => ints([rows, time], values);
    const { vectors } = await program.run({
      weights: await this.#placed.place(this.#weights, program.device),
      ids: grid(ids),
      mask: grid(mask),
      types: grid(types),
    });
    const width = vectors.shape[1]!;
    return sequences.map((_sequence, row) => (vectors.data as Float32Array).slice(row * width, (row + 1) * width));
  }

  #assertReadable({ ids, types }: EncoderSequence, index: number): void {
    const { maxPositions, vocabularySize, tokenTypes } = this.#config;
    const at = `sequences[${index}]`;
    const fail = (what: string): never => {
      throw invalidInput(`${at} ${what}`, { at });
    };
    if (ids.length === 0) fail('is empty; at least one token is needed');
    if (ids.length > maxPositions) fail(`has ${ids.length} tokens; the context holds ${maxPositions}`);
    const isWithin = (value: number, size: number): boolean => Number.isInteger(value) && value >= 0 && value < size;
    const outside = ids.find((id) => !isWithin(id, vocabularySize));
    if (outside !== undefined) fail(`holds token ${outside}; ids go from 0 to ${vocabularySize - 1}`);
    if (types && types.length !== ids.length) fail(`has ${types.length} types for ${ids.length} tokens`);
    const type = types?.find((each) => !isWithin(each, tokenTypes));
    if (type !== undefined) fail(`has a token of type ${type}; types go from 0 to ${tokenTypes - 1}`);
  }
}

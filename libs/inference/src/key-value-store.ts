/** Where the keys and values of the sequences being decoded are: on the host, or in a device's memory. */
import type { DecoderConfig } from '@crucible/nn';
import type { AnyArray } from '@crucible/tensor';

/** Rows grow by so many tokens: steps read all of a row, so that coarser ones would cost more than growing. */
const capacityStep = 64;

/** Tokens that rows are given room for, to hold so many. */
export function cacheCapacity(tokens: number, { maxPositions }: DecoderConfig): number {
  return Math.min(maxPositions, capacityStep * Math.ceil(tokens / capacityStep));
}

/** One array a layer. */
export interface CacheRows {
  readonly keys: readonly AnyArray[];
  readonly values: readonly AnyArray[];
}

export interface FilledRow {
  readonly row: number;
  /** Tokens of its prompt. */
  readonly length: number;
  /** Row of the prompt in what the prefill gave. */
  readonly from: number;
}

export interface KeyValueStore {
  /** Tokens that fit into a row at present. */
  readonly capacity: number;
  /** Makes room for `rows` rows of `tokens` tokens; what is cached stays. */
  reserve(rows: number, tokens: number): void;
  /** Forgets all rows, and the room that they took. */
  clear(): void;
  /** The first `rows` rows, [rows, keyValueHeads, capacity, headSize], for a step to read. */
  view(rows: number): Promise<CacheRows>;
  /**
   * Takes prompts in, whose keys and values [batch, keyValueHeads, time, headSize] a prefill gave, from position `start`
   * (default: 0) of their rows on; they are used up.
   */
  fill(entries: readonly FilledRow[], prompts: CacheRows, start?: number): Promise<void>;
  /** Takes in what a step gave for the rows that it read, row i of which had `positions[i]` tokens; it is used up. */
  append(positions: readonly number[], step: CacheRows): void;
  /** Moves row `from` to row `to`, over what is there: rows in use stay together at the front. */
  move(from: number, to: number): void;
  dispose(): void;
}

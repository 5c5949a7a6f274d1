/**
 * Sizes that stay open in an exported model. Programs have fixed shapes; for an export they are traced with prime numbers
 * in the place of the open sizes, primes that divide no other size. Every size of the program is then a product of some
 * of them and a number, and tells by itself which.
 */
import { invalidInput } from '@crucible/foundation';
import { createHostArray, type DType } from '../dtype.ts';
import { sizeOf, type Shape } from '../shape.ts';
import type { OnnxFile, OpenShape } from './onnx-file.ts';

/** Where the value of an open size is found: an axis of an input. */
export interface SizeSource {
  readonly input: string;
  readonly axis: number;
}

/** Primes below 128, within which causal attention is one block. */
const primes = [127, 113, 109, 107, 103, 101, 97, 89, 83, 79, 73, 71, 67, 61, 59, 53];

/** A prime for each name that divides none of the fixed sizes. */
export function primesFor<Name extends string>(
  names: readonly Name[],
  fixed: Iterable<number>,
): Readonly<Record<Name, number>> {
  const sizes = [...new Set(fixed)];
  const free = primes.filter((prime) => sizes.every((size) => size % prime !== 0));
  if (free.length < names.length) throw invalidInput('export: the sizes of the model leave no primes for open sizes');
  return Object.fromEntries(names.map((name, i) => [name, free[i]!])) as Record<Name, number>;
}

export class OpenSizes {
  readonly #file: OnnxFile;
  readonly #primes: Readonly<Record<string, number>>;
  readonly #sources: Readonly<Record<string, SizeSource>>;

  constructor(file: OnnxFile, primes: Readonly<Record<string, number>>, sources: Readonly<Record<string, SizeSource>>) {
    this.#file = file;
    this.#primes = primes;
    this.#sources = sources;
  }

  isOpen(size: number): boolean {
    return this.#factors(size).names.length > 0;
  }

  /** For people and for declarations: `batch`, or `batch * time` for a product. */
  describe(shape: Shape): OpenShape {
    return shape.map((size) => {
      const { number, names } = this.#factors(size);
      if (names.length === 0) return size;
      return [...(number === 1 ? [] : [String(number)]), ...names].join(' * ');
    });
  }

  /** A shape as a value, int64 [rank]. */
  shape(shape: Shape): string {
    if (!shape.some((size) => this.isOpen(size))) return this.#file.int64s(shape);
    return this.#file.op(
      'Concat',
      shape.map((size) => this.size(size)),
      { axis: 0 },
    );
  }

  /** A size as a value, int64 [1]. */
  size(size: number): string {
    const { number, names } = this.#factors(size);
    const parts = names.map((name) => {
      const { input, axis } = this.#sources[name]!;
      return this.#file.op('Gather', [this.#file.op('Shape', [input]), this.#file.int64s([axis])], { axis: 0 });
    });
    if (number !== 1 || parts.length === 0) parts.push(this.#file.int64s([number]));
    return parts.reduce((product, part) => this.#file.op('Mul', [product, part]));
  }

  #factors(size: number): { readonly number: number; readonly names: readonly string[] } {
    const names: string[] = [];
    let number = size;
    for (const [name, prime] of Object.entries(this.#primes)) {
      for (; number !== 0 && number % prime === 0; number /= prime) names.push(name);
    }
    return { number, names };
  }

  /**
   * A constant whose shape is open: one that counts up from 0, one of equal values, or one that has a value above the
   * diagonal of its last two axes and 0 elsewhere. Others have no meaning at other sizes.
   */
  constant(dtype: DType, shape: Shape, data: ArrayLike<number>): string {
    const file = this.#file;
    const one = (value: number): string => file.constant(dtype, [], createHostArray(dtype, 1).fill(value));
    const every = (wanted: (i: number) => number): boolean => {
      for (let i = 0; i < data.length; i++) if (data[i] !== wanted(i)) return false;
      return true;
    };
    if (dtype === 'int32' && every((i) => i)) {
      const end = file.op('Squeeze', [this.size(sizeOf(shape)), file.int64s([0])]);
      const counted = file.op('Cast', [file.op('Range', [file.int64(0), end, file.int64(1)])], { to: 6 });
      return file.op('Reshape', [counted, this.shape(shape)]);
    }
    if (every(() => data[0]!)) return file.op('Expand', [one(data[0]!), this.shape(shape)]);
    const columns = shape.at(-1)!;
    const corner = data[columns - 1]!;
    if (dtype === 'float32' && shape.length === 2 && every((i) => (i % columns > Math.floor(i / columns) ? corner : 0)))
      return file.op('Trilu', [file.op('Expand', [one(corner), this.shape(shape)]), file.int64(1)], { upper: 1 });
    throw new Error('internal: a constant depends on a size that stays open');
  }
}

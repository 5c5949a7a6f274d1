/** For tests: operands to try a primitive on, drawn at random. */
import type { Random } from '@crucible/foundation';
import type { HostType } from '../../dtype.ts';
import type { Primitive, PrimitiveParams } from '../../ir/primitive.ts';
import type { Shape } from '../../shape.ts';

export interface Operand {
  readonly shape: Shape;
  readonly dtype?: HostType;
  /** Draws an element; default: uniform in -2 … 2. */
  readonly draw?: (random: Random, i: number) => number;
}

export interface Case<P extends Primitive> {
  readonly params: PrimitiveParams[P];
  readonly operands: readonly Operand[];
}

export interface Row<P extends Primitive> {
  readonly cases: readonly Case<P>[];
  /** Which float32 operands, where a case has them, have a gradient; default: none. */
  readonly differentiable?: readonly number[];
  /** Float32 operands that have none although the result depends on them: the primitive says so. Default: none. */
  readonly withoutGradient?: readonly number[];
  /** Differentiates twice, where its derivative does not jump. */
  readonly smooth?: boolean;
}

export type Cases<P extends Primitive> = { readonly [Q in P]: Row<Q> };

export const uniform = (low: number, high: number) => (random: Random) => low + (high - low) * random.uniform();
export const below = (n: number) => (random: Random) => random.integer(0, n - 1);
/** Away from 0, where a derivative jumps. */
export const notZero = (random: Random): number => (random.boolean() ? 1 : -1) * (0.3 + 2 * random.uniform());
/** All of a uint32. */
export const anyBits = (random: Random): number => Math.floor(random.uniform() * 2 ** 32);
export const coin = (random: Random): number => Number(random.boolean());

export const x: Operand = { shape: [2, 3] };
export const positive: Operand = { shape: [2, 3], draw: uniform(0.2, 3) };
export const ids = (shape: Shape, n: number): Operand => ({ shape, dtype: 'int32', draw: below(n) });
export const bools = (shape: Shape): Operand => ({ shape, dtype: 'bool', draw: coin });
export const wholes = (shape: Shape): Operand => ({ shape, dtype: 'int32', draw: (random) => random.integer(1, 5) });

/** For primitives without parameters. */
export const none = {} as never;

export function unary<P extends Primitive>(operand: Operand, differentiable = true): Row<P> {
  const cases = [{ params: none, operands: [operand] }];
  return differentiable ? { cases, differentiable: [0], smooth: true } : { cases };
}

export function binary<P extends Primitive>(a: Partial<Operand> = {}, b: Partial<Operand> = {}): Row<P> {
  const pairs: readonly (readonly [Shape, Shape])[] = [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3]],
    [
      [2, 1, 3],
      [4, 1],
    ],
    [[], [2, 2]],
  ];
  const cases = pairs.map(([left, right]) => {
    return {
      params: none,
      operands: [
        { ...a, shape: left },
        { ...b, shape: right },
      ],
    };
  });
  return { cases, differentiable: [0, 1], smooth: true };
}

/** The row with more cases: operands of given integers, side by side. */
export function withIntegers<P extends Primitive>(row: Row<P>, cases: readonly Integers[]): Row<P> {
  const more = cases.map(({ dtype, values }) => ({
    params: none,
    operands: values.map((list) => ({ shape: [list.length], dtype, draw: (_random: Random, i: number) => list[i]! })),
  }));
  return { ...row, cases: [...row.cases, ...more] };
}

interface Integers {
  readonly dtype: 'int32' | 'uint32';
  readonly values: readonly (readonly number[])[];
}

export function comparison<P extends Primitive>(dtype: HostType, draw: (random: Random) => number): Row<P> {
  const operand = { shape: [3, 4], dtype, draw };
  return { cases: [{ params: none, operands: [operand, operand] }] };
}

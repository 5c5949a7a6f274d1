/**
 * `expect(actual).toBeAllClose(expected, { atol, rtol })` for numbers, typed arrays and nested arrays of either: every
 * pair within `atol + rtol * |expected|`, as in NumPy's allclose. Importing @crucible/testing installs it.
 */
import { expect } from 'vitest';
import { invalidInput } from '@crucible/foundation';

export type NumericArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** A number, an array of numbers, or arrays of these; shapes are compared, types of arrays are not. */
export type Numeric = number | bigint | NumericArray | readonly Numeric[];

export interface AllCloseOptions {
  /** Absolute tolerance; 1e-6 by default. */
  readonly atol?: number;
  /** Tolerance relative to the expected value; 1e-5 by default. */
  readonly rtol?: number;
}

declare module 'vitest' {
  // The parameters have to be those of vitest's own declaration.
  interface Matchers<
    R extends void | Promise<void> = void | Promise<void>,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    T = unknown,
  > {
    /**
     * Every number within `atol + rtol * |expected|` of the expected one. NaN is close to nothing, an infinity only to
     * itself, and shapes must agree.
     */
    toBeAllClose(expected: Numeric, options?: AllCloseOptions): R;
  }
}

interface Comparison {
  readonly atol: number;
  readonly rtol: number;
  compared: number;
  outside: number;
  /** The pair that exceeds its tolerance most. */
  worst: { index: string; actual: number; expected: number; difference: number; excess: number } | undefined;
}

/** Says what is not close, the worst first; undefined when everything is. */
function differenceOf(actual: unknown, expected: unknown, options: AllCloseOptions): string | undefined {
  const { atol = 1e-6, rtol = 1e-5 } = options;
  for (const [name, value] of Object.entries({ atol, rtol }))
    if (!(value >= 0)) throw invalidInput(`toBeAllClose: ${name} is ${value}; it must be 0 or more`, { at: name });
  const comparison: Comparison = { atol, rtol, compared: 0, outside: 0, worst: undefined };
  const shapes = compare(actual, expected, '', comparison);
  if (shapes !== undefined) return shapes;
  const { compared, outside, worst } = comparison;
  if (worst === undefined) return undefined;
  return (
    `${outside} of ${compared} values are not close (atol ${atol}, rtol ${rtol}); the worst is ` +
    `${worst.index === '' ? 'the value' : `at ${worst.index}`}: ${worst.actual}, expected ${worst.expected}, ` +
    `difference ${worst.difference}`
  );
}

function compare(actual: unknown, expected: unknown, index: string, comparison: Comparison): string | undefined {
  if (isArray(actual) && isArray(expected)) {
    if (actual.length !== expected.length)
      return `${index === '' ? 'lengths differ' : `lengths differ at ${index}`}: ${actual.length}, expected ${expected.length}`;
    for (let i = 0; i < expected.length; i++) {
      const different = compare(actual[i], expected[i], `${index}[${i}]`, comparison);
      if (different !== undefined) return different;
    }
    return undefined;
  }
  if (!isNumber(actual) || !isNumber(expected)) {
    const where = index === '' ? '' : ` at ${index}`;
    return `shapes differ${where}: ${kindOf(actual)}, expected ${kindOf(expected)}`;
  }
  compareNumbers(Number(actual), Number(expected), index, comparison);
  return undefined;
}

function compareNumbers(actual: number, expected: number, index: string, comparison: Comparison): void {
  comparison.compared++;
  if (actual === expected) return;
  const difference = Math.abs(actual - expected);
  const tolerance = comparison.atol + comparison.rtol * Math.abs(expected);
  if (Number.isFinite(expected) && difference <= tolerance) return;
  comparison.outside++;
  const excess = difference - tolerance;
  // NaN comes from NaN and from infinities: nothing is further off.
  const ranked = Number.isNaN(excess) ? Infinity : excess;
  if (comparison.worst === undefined || ranked > comparison.worst.excess)
    comparison.worst = { index, actual, expected, difference, excess: ranked };
}

function isArray(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function kindOf(value: unknown): string {
  if (isArray(value)) return `an array of ${value.length}`;
  return isNumber(value) ? 'a number' : String(value);
}

expect.extend({
  toBeAllClose(actual: unknown, expected: Numeric, options: AllCloseOptions = {}) {
    const difference = differenceOf(actual, expected, options);
    return {
      pass: difference === undefined,
      message: () => difference ?? 'every value is close, and at least one was expected not to be',
    };
  },
});

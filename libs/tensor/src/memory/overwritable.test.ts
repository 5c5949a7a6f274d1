import { expect, it } from 'vitest';
import type { Tensor } from '../ir/tensor.ts';
import { add, mul, sub } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { concat, reshape, sliceAxis, transpose } from '../library/movement.ts';
import { sum } from '../library/reduction.ts';
import { trace } from '../trace/compile.ts';
import { overwritable } from './overwritable.ts';

const square = { shape: [4, 4], dtype: 'float32' } as const;

/** Whether the result `y` may be written over the input `x`. */
function isOverwritable(build: (x: Tensor, z: Tensor) => { y: Tensor; other?: Tensor }): boolean {
  const { program, outputTree } = trace({ x: square, z: square }, ({ x, z }) => build(x, z));
  return overwritable(program, [{ input: program.inputs[0]!, output: outputTree.y }])[0]!;
}

it.each<[string, boolean, (x: Tensor, z: Tensor) => { y: Tensor; other?: Tensor }]>([
  ['is the input itself', true, (x) => ({ y: x, other: mul(x, 2) })],
  ['is worked out element by element', true, (x, z) => ({ y: sub(mul(x, 0.9), z) })],
  ['does not need the input', true, (_x, z) => ({ y: mul(z, 2) })],
  [
    'is cut from a vector that holds the input',
    true,
    (x, z) => {
      const all = mul(concat([reshape(x, [16]), reshape(z, [16])], 0), 2);
      return { y: reshape(sliceAxis(all, 0, 0, 16), [4, 4]) };
    },
  ],
  ['is read by something else that may come later', false, (x, z) => ({ y: sub(x, z), other: mul(x, 3) })],
  ['is read later as another view', false, (x, z) => ({ y: sub(x, z), other: mul(reshape(x, [16]), 3) })],
  ['is given out as another view', false, (x, z) => ({ y: sub(x, z), other: reshape(x, [16]) })],
  ['is given out itself', false, (x, z) => ({ y: sub(x, z), other: x })],
  ['is read by a product', false, (x, z) => ({ y: add(matmul(x, z), 1) })],
  ['is read by a product as another view', false, (x, z) => ({ y: add(matmul(transpose(x), z), 1) })],
  ['is read as a whole for each element', false, (x, z) => ({ y: add(z, sum(x)) })],
  ['is a product', false, (_x, z) => ({ y: matmul(z, z) })],
])('a result whose input %s: %s', (_what, expected, build) => {
  expect(isOverwritable(build)).toBe(expected);
});

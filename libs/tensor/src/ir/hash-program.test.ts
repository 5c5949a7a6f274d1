import { describe, expect, it } from 'vitest';
import { scan } from '../library/control.ts';
import { add, mul } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { floats } from '../nd-array.ts';
import { trace } from '../trace/compile.ts';
import { hashProgram } from './hash-program.ts';
import type { Tensor } from './tensor.ts';

const types = { a: floats([2, 2], [0, 0, 0, 0]), b: floats([2, 2], [0, 0, 0, 0]) };
type Build = (inputs: { a: Tensor; b: Tensor }) => object;
const hashOf = (build: Build): string => hashProgram(trace(types, build as never).program);

const large = (last: number): Float32Array => Float32Array.from({ length: 100 }, (_, i) => (i === 99 ? last : i));
const largeSum =
  (last: number): Build =>
  ({ a }) => ({ y: matmul(a, a.graph.constant('float32', [2, 50], large(last))) });

describe('hashProgram', () => {
  it('is the same for one program, however its graph came to be', () => {
    const plain = hashOf(({ a, b }) => ({ y: add(matmul(a, b), a) }));
    const roundabout = hashOf(({ a, b }) => {
      mul(b, 17); // numbers the nodes otherwise, and is not part of the program
      return { y: add(matmul(a, b), a) };
    });
    expect(roundabout).toBe(plain);
    expect(plain).toMatch(/^[0-9a-f]{64}$/);
    expect(hashOf(largeSum(1))).toBe(hashOf(largeSum(1)));
  });

  const different: readonly (readonly [string, Build, Build])[] = [
    ['operands in another order', ({ a, b }) => ({ y: matmul(a, b) }), ({ a, b }) => ({ y: matmul(b, a) })],
    ['another primitive', ({ a, b }) => ({ y: add(a, b) }), ({ a, b }) => ({ y: mul(a, b) })],
    [
      'another parameter',
      ({ a, b }) => ({ y: matmul(a, b, { transposeB: true }) }),
      ({ a, b }) => ({ y: matmul(a, b) }),
    ],
    [
      'parameters without a word in JSON',
      ({ a, b }) => ({ y: matmul(a, b, { alpha: Infinity }) }),
      ({ a, b }) => ({ y: matmul(a, b, { alpha: NaN }) }),
    ],
    [
      'zeros of another sign',
      ({ a, b }) => ({ y: matmul(a, b, { alpha: 0 }) }),
      ({ a, b }) => ({ y: matmul(a, b, { alpha: -0 }) }),
    ],
    ['another small constant', ({ a }) => ({ y: mul(a, 2) }), ({ a }) => ({ y: mul(a, 3) })],
    ['another large constant', largeSum(1), largeSum(2)],
    ['results in another order', ({ a, b }) => ({ x: a, y: b }), ({ a, b }) => ({ x: b, y: a })],
    ['one result more', ({ a }) => ({ x: mul(a, 2) }), ({ a }) => ({ x: mul(a, 2), y: mul(a, 2) })],
    [
      'another program within',
      ({ a, b }) => ({ y: scan((sum: Tensor, row: Tensor) => ({ carry: add(sum, row) }), a, stack(b)).carry }),
      ({ a, b }) => ({ y: scan((sum: Tensor, row: Tensor) => ({ carry: mul(sum, row) }), a, stack(b)).carry }),
    ],
  ];

  it.each(different)('tells apart %s', (_what, one, other) => {
    expect(hashOf(one)).not.toBe(hashOf(other));
  });

  it('tells apart inputs by name, shape and dtype', () => {
    const hash = (input: object): string => hashProgram(trace(input, (given) => ({ ...given })).program);
    const hashes = [
      hash({ a: { shape: [2], dtype: 'float32' } }),
      hash({ b: { shape: [2], dtype: 'float32' } }),
      hash({ a: { shape: [3], dtype: 'float32' } }),
      hash({ a: { shape: [2], dtype: 'int32' } }),
    ];
    expect(new Set(hashes).size).toBe(4);
  });
});

function stack(x: Tensor): Tensor {
  return matmul(x.graph.constant('float32', [3, 2, 2], new Float32Array(12).fill(1)), x);
}

import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { topologicalOrder } from '../ir/graph.ts';
import { printProgram } from '../ir/print.ts';
import type { Tensor } from '../ir/tensor.ts';
import { optimize } from '../rewrite/passes.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { trace } from '../trace/compile.ts';
import { einsum } from './einsum.ts';
import { square } from './elementwise.ts';
import { sum } from './reduction.ts';

// Values and gradients are compared with PyTorch in library.test.ts.

const floats = (...shapes: Shape[]) => shapes.map((shape) => ({ shape, dtype: 'float32' as const }));

function traced(subscripts: string, ...shapes: Shape[]) {
  return trace(floats(...shapes), (operands: Tensor[]) => einsum(subscripts, ...operands)).program;
}

describe('einsum', () => {
  it('is one matrix product where that is what it says', () => {
    const primitives = (subscripts: string, ...shapes: Shape[]) =>
      topologicalOrder(optimize(traced(subscripts, ...shapes)).outputs)
        .map((tensor) => tensor.primitive)
        .filter((primitive) => primitive !== 'input');
    expect(primitives('ij,jk->ik', [2, 3], [3, 4])).toEqual(['matmul']);
    expect(primitives('ij,kj->ik', [2, 3], [4, 3])).toEqual(['matmul']);
    expect(primitives('ji,jk->ik', [3, 2], [3, 4])).toEqual(['matmul']);
    expect(primitives('bhqd,bhkd->bhqk', [2, 2, 3, 4], [2, 2, 5, 4])).toEqual([
      'reshape',
      'reshape',
      'matmul',
      'reshape',
    ]);
    expect(primitives('bsd,dhk->bshk', [2, 3, 4], [4, 2, 5])).toEqual(['reshape', 'reshape', 'matmul', 'reshape']);
  });

  it('never makes a broadcast product that it sums, forwards or backwards', () => {
    const shapes: Shape[] = [
      [7, 32],
      [32, 33],
      [33, 34],
      [34, 8],
    ];
    const { program } = trace(floats(...shapes), (operands: Tensor[]) =>
      gradient(sum(square(einsum('ab,bc,cd,de->ae', ...operands))), operands),
    );
    const largest = Math.max(...topologicalOrder(program.outputs).map(({ shape }) => sizeOf(shape)));
    expect(largest).toBe(33 * 34);
  });

  it('takes operands together whose product is small, first', () => {
    const text = printProgram(traced('ab,bc,cd->ad', [64, 2], [2, 64], [64, 2]));
    // b c with c d, then a b: the other way makes [64, 64]
    expect(text).not.toContain('[64,64]');
  });

  it.each([
    ['ij,jk', [[2, 3]], 'einsum: ij,jk does not describe 1 operands'],
    ['ij->k', [[2, 3]], 'einsum: ij->k: no operand has k of the result'],
    ['ij->ii', [[2, 3]], 'einsum: ij->ii: the result has a letter twice'],
    ['ij', [[2]], 'einsum: ij: ij does not name the axes of [2]'],
    ['ij,j', [[2, 3], [4]], 'einsum: ij,j: j is 3 in one place and 4 in another'],
    [
      '...i,...i',
      [
        [2, 3],
        [4, 3],
      ],
      "einsum: ...i,...i: '...' is 2 in one place and 4 in another",
    ],
    ['i1', [[2, 3]], "einsum: i1: i1 is not made of letters and at most one '...'"],
    ['i->j->k', [[2]], 'einsum: i->j->k does not describe 1 operands'],
  ] as const)('says what is wrong with %s', (subscripts, shapes, message) => {
    expect(() => traced(subscripts, ...(shapes as unknown as Shape[]))).toThrow(message);
  });
});

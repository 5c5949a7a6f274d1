/** For tests: one program by the plain reference and by ONNX Runtime, as it was traced and as it is optimized. */
import { expect } from 'vitest';
import type { Program } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { NdArray } from '../nd-array.ts';
import { evaluate, type ReferenceArray } from '../reference/evaluate.ts';
import { optimize } from '../rewrite/passes.ts';
import { isNdArray } from '../nd-array.ts';
import { trace } from '../trace/compile.ts';
import { flatten, type TreeLike } from '../tree.ts';
import { runOnOnnx } from './primitive-cases.ts';

export interface Agreed {
  /** As it was traced. */
  readonly program: Program;
  readonly optimized: Program;
  /** The outputs, by the reference in float64. */
  readonly values: readonly ReferenceArray[];
}

/** Traces a function over a tree of arrays and runs it all ways, which must agree. */
export async function agreed<I>(
  inputs: I,
  build: (inputs: TreeLike<I, NdArray, Tensor>) => unknown,
  tolerance = 3e-5,
): Promise<Agreed> {
  const { program } = trace(inputs, build as never);
  const feeds: Record<string, NdArray> = {};
  for (const { path, leaf } of flatten(inputs, isNdArray)) feeds[path] = leaf;
  const values = evaluate(program, feeds);
  const optimized = optimize(program);
  const runs = [
    { how: 'optimized, by the reference', results: evaluate(optimized, feeds) },
    { how: 'as traced, by ONNX Runtime', results: await runOnOnnx(program, feeds) },
    { how: 'optimized, by ONNX Runtime', results: await runOnOnnx(optimized, feeds) },
  ];
  for (const { how, results } of runs) {
    results.forEach((result, i) => expectClose(result, values[i]!, tolerance, `output ${i}, ${how}`));
  }
  return { program, optimized, values };
}

function expectClose(actual: ReferenceArray, expected: ReferenceArray, tolerance: number, what: string): void {
  expect([actual.dtype, actual.shape], what).toEqual([expected.dtype, expected.shape]);
  expected.data.forEach((value, i) => {
    const found = actual.data[i]!;
    if (Object.is(found, value) || found === value) return;
    expect(Math.abs(found - value), `${what}, element ${i}: ${found} and ${value}`).toBeLessThanOrEqual(
      tolerance * (1 + Math.abs(value)),
    );
  });
}

/**
 * Every primitive, three ways: ONNX Runtime against the plain-loop reference, the gradient against central differences
 * (both in float64), and the gradient of the gradient where the primitive is smooth. The table has a row for every
 * primitive, or it does not compile.
 */
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from './autodiff/gradient.ts';
import { Graph, type Program } from './ir/graph.ts';
import type { Primitive } from './ir/primitive.ts';
import type { Tensor } from './ir/tensor.ts';
import { addAll, cast, mul } from './library/elementwise.ts';
import { sum } from './library/reduction.ts';
import { ndArray, type NdArray } from './nd-array.ts';
import { evaluate, type ReferenceArray } from './reference/evaluate.ts';
import { optimize } from './rewrite/passes.ts';
import { sizeOf } from './shape.ts';
import { primitiveCases, type Row, runOnOnnx, traceCase, type TracedCase } from './testing/primitive-cases.ts';

/** Σ y w with fixed random weights: a scalar whose gradient depends on every element of y in its own way. */
function weighted(y: Tensor, random: Random): Tensor {
  const weights = Float32Array.from({ length: sizeOf(y.shape) }, () => random.normal());
  return sum(mul(cast(y, 'float32'), y.graph.constant('float32', y.shape, weights)));
}

function expectClose(actual: ReferenceArray, expected: ReferenceArray, tolerance: number, what: string): void {
  expect(actual.shape, what).toEqual(expected.shape);
  expected.data.forEach((value, i) => {
    expect(
      Math.abs(actual.data[i]! - value),
      `${what}, element ${i}: ${actual.data[i]} and ${value}`,
    ).toBeLessThanOrEqual(tolerance * (1 + Math.abs(value)));
  });
}

/** The gradient of a scalar program by one input, by central differences. */
function differences(
  loss: Tensor,
  inputs: readonly Tensor<'input'>[],
  feeds: Record<string, NdArray>,
  by: string,
): ReferenceArray {
  const base = feeds[by]!;
  const step = 1e-5;
  const program: Program = { inputs, outputs: [loss] };
  const at = (i: number, change: number): number => {
    const data = Float64Array.from(base.data);
    data[i]! += change;
    return evaluate(program, { ...feeds, [by]: { ...base, data } })[0]!.data[0]!;
  };
  const data = Float64Array.from(base.data, (_, i) => (at(i, step) - at(i, -step)) / (2 * step));
  return { dtype: 'float32', shape: base.shape, data };
}

function checkGradient(
  loss: Tensor,
  traced: TracedCase,
  by: readonly number[],
  tolerance: number,
  what: string,
): Tensor[] {
  const targets = by.map((i) => traced.inputs[i]!);
  const gradients = gradient(loss, targets);
  const found = evaluate({ inputs: traced.inputs, outputs: gradients }, traced.feeds);
  targets.forEach((target, i) => {
    const { name } = target.params;
    expectClose(found[i]!, differences(loss, traced.inputs, traced.feeds, name), tolerance, `${what} by ${name}`);
  });
  return gradients;
}

const rows = Object.entries(primitiveCases) as [Primitive, Row<Primitive>][];

describe.each(rows)('%s', (primitive, { cases, differentiable = [], withoutGradient = [], smooth }) => {
  cases.forEach((example, number) => {
    const random = Random.seeded(number + 1);
    const traced = traceCase(primitive, example, random);
    const { inputs, feeds, y } = traced;
    const label = `case ${number}`;

    it(`${label}: ONNX Runtime agrees with the reference`, async () => {
      for (const program of [{ inputs, outputs: [y] }, optimize({ inputs, outputs: [y] })]) {
        const [actual] = await runOnOnnx(program, feeds);
        expectClose(actual!, evaluate({ inputs, outputs: [y] }, feeds)[0]!, 2e-5, label);
      }
    });

    const floats = inputs.flatMap((input, i) => (input.dtype === 'float32' ? [i] : []));
    const by = floats.filter((i) => differentiable.includes(i));
    const flat = floats.filter((i) => !differentiable.includes(i));

    // A primitive that was given no gradient by mistake fails here: the differences see what it depends on.
    if (flat.length > 0 && y.dtype !== 'bool') {
      it(`${label}: passes no gradient where it is flat, or says so`, () => {
        const loss = weighted(y, random);
        const targets = flat.map((i) => inputs[i]!);
        const zeros = evaluate({ inputs, outputs: gradient(loss, targets) }, feeds);
        for (const zero of zeros) expect(Math.max(...zero.data.map(Math.abs))).toBe(0);
        for (const i of flat.filter((operand) => !withoutGradient.includes(operand))) {
          expect(Math.max(...differences(loss, inputs, feeds, inputs[i]!.params.name).data.map(Math.abs))).toBe(0);
        }
      });
    }
    if (by.length === 0) return;

    it(`${label}: the gradient agrees with central differences, and ONNX Runtime with both`, async () => {
      const loss = weighted(y, random);
      const gradients = checkGradient(loss, traced, by, 1e-6, label);
      const program = optimize({ inputs, outputs: gradients });
      const expected = evaluate({ inputs, outputs: gradients }, feeds);
      (await runOnOnnx(program, feeds)).forEach((actual, i) => expectClose(actual, expected[i]!, 5e-5, label));
    });

    if (smooth) {
      it(`${label}: the gradient of the gradient agrees with central differences`, () => {
        const first = gradient(
          weighted(y, random),
          by.map((i) => inputs[i]!),
        );
        checkGradient(addAll(first.map((g) => weighted(g, random))), traced, by, 1e-5, label);
      });
    }
  });
});

describe('ties', () => {
  it('share the gradient of max evenly', () => {
    const graph = new Graph();
    const input = graph.input('x', [4], 'float32');
    const [dx] = gradient(graph.node('max', [input], { axes: [0], keepDims: false }), [input]);
    const found = evaluate(
      { inputs: [input], outputs: [dx!] },
      { x: ndArray('float32', [4], Float32Array.of(3, 1, 3, 3)) },
    );
    expect([...found[0]!.data]).toEqual([1 / 3, 0, 1 / 3, 1 / 3]);
  });

  it('share the gradient of maximum between both operands', () => {
    const graph = new Graph();
    const a = graph.input('a', [], 'float32');
    const b = graph.input('b', [], 'float32');
    const outputs = gradient(graph.node('maximum', [a, b], {}), [a, b]);
    const two = ndArray('float32', [], Float32Array.of(2));
    expect(evaluate({ inputs: [a, b], outputs }, { a: two, b: two }).map((g) => g.data[0])).toEqual([0.5, 0.5]);
  });
});

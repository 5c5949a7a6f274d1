import { describe, expect, it } from 'vitest';
import { add, mul, sin, square } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { sum } from '../library/reduction.ts';
import { floats } from '../nd-array.ts';
import { agreed } from '../testing/agreement.ts';
import { trace } from '../trace/compile.ts';
import { hessian, jacobian } from './jacobian.ts';

const given = { x: floats([2], [0.5, -2]), w: floats([3, 2], [1, 2, 3, 4, 5, 6]) };

describe('jacobian', () => {
  it('has a row for every element of the result', async () => {
    const { values } = await agreed(given, ({ x, w }) => [
      jacobian(matmul(w, x), x),
      jacobian(matmul(w, square(x)), x),
    ]);
    expect(values[0]!.shape).toEqual([3, 2]);
    expect([...values[0]!.data]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...values[1]!.data]).toEqual([1, -8, 3, -16, 5, -24]);
  });

  it('has the axes of both', () => {
    const { program } = trace(given, ({ x, w }) => jacobian(mul(w, x), w));
    expect(program.outputs[0]!.shape).toEqual([3, 2, 3, 2]);
    expect(() => trace(given, ({ x }) => jacobian(x.graph.scalar(1, 'int32'), x))).toThrow(
      'jacobian: int32[] is not of float32',
    );
  });
});

describe('hessian', () => {
  it('has the second derivatives by every two elements', async () => {
    // x² y + sin y
    const { values } = await agreed({ x: floats([2], [0.5, -2]) }, ({ x }) => {
      const [a, b] = [
        sum(mul(x, x.graph.constant('float32', [2], Float32Array.of(1, 0)))),
        sum(mul(x, x.graph.constant('float32', [2], Float32Array.of(0, 1)))),
      ];
      return hessian(add(mul(square(a), b), sin(b)), x);
    });
    const expected = [-4, 1, 1, -Math.sin(-2)];
    expected.forEach((value, i) => expect(values[0]!.data[i]).toBeCloseTo(value, 12));
  });
});

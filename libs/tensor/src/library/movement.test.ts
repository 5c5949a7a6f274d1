import { describe, expect, it } from 'vitest';
import type { Tensor } from '../ir/tensor.ts';
import { floats, ints } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { trace } from '../trace/compile.ts';
import { conv, maxPool } from './convolution.ts';
import { identityMatrix, range, triangularMask } from './creation.ts';
import { diagonal, gatherND, sliceAt, topK, updateAt } from './indexing.ts';
import { expandDims, moveAxis, pad, reshape, roll, slice, split, squeeze, stack, tile, unstack } from './movement.ts';
import { argMax } from './reduction.ts';

// Values and gradients are compared with PyTorch in library.test.ts.

const x = { shape: [2, 3], dtype: 'float32' } as const;
const shapeOf = (build: (x: Tensor) => Tensor): readonly number[] =>
  trace({ x }, (inputs) => build(inputs.x)).program.outputs[0]!.shape;
const failing = (build: (x: Tensor) => unknown) => () => trace({ x }, (inputs) => build(inputs.x));

describe('slice', () => {
  it.each([
    [{}, [0, 1, 2, 3, 4, 5]],
    [{ start: 2 }, [2, 3, 4, 5]],
    [{ end: -1 }, [0, 1, 2, 3, 4]],
    [{ start: -3, end: 9 }, [3, 4, 5]],
    [{ start: 1, step: 2 }, [1, 3, 5]],
    [{ step: 4 }, [0, 4]],
    [{ step: -1 }, [5, 4, 3, 2, 1, 0]],
    [{ start: 4, end: 0, step: -2 }, [4, 2]],
    [{ start: -2, end: -5, step: -1 }, [4, 3, 2]],
    [{ start: 9, step: -3 }, [5, 2]],
    [{ start: 3, end: 3 }, []],
    [{ start: 4, end: 2 }, []],
    [{ start: 2, end: 4, step: -1 }, []],
    [{ start: -9, step: -1 }, []],
  ])('takes the elements that Python takes for %j', (part, expected) => {
    const { program } = trace({ x: ints([6], [0, 0, 0, 0, 0, 0]) }, (inputs) => slice(inputs.x, [part]));
    const [y] = evaluate(program, { x: ints([6], [0, 1, 2, 3, 4, 5]) });
    expect([...y!.data]).toEqual(expected);
  });

  it('says what does not fit', () => {
    expect(failing((t) => slice(t, [{ step: 0 }]))).toThrow('slice: step 0 is not a whole number other than 0');
    expect(failing((t) => slice(t, [{}, {}, {}]))).toThrow('slice: 3 ranges for [2, 3] of rank 2');
  });
});

describe('shapes', () => {
  it('gain, lose and exchange axes', () => {
    expect(shapeOf((t) => expandDims(t, -1))).toEqual([2, 3, 1]);
    expect(shapeOf((t) => expandDims(t, 0))).toEqual([1, 2, 3]);
    expect(shapeOf((t) => squeeze(reshape(t, [1, 2, 1, 3])))).toEqual([2, 3]);
    expect(shapeOf((t) => squeeze(reshape(t, [1, 2, 1, 3]), -2))).toEqual([1, 2, 3]);
    expect(shapeOf((t) => moveAxis(reshape(t, [1, 2, 3]), 0, -1))).toEqual([2, 3, 1]);
    expect(shapeOf((t) => stack(unstack(t, 1), -1))).toEqual([2, 3]);
    expect(shapeOf((t) => split(t, 3, 1)[2]!)).toEqual([2, 1]);
  });

  it('say what does not fit', () => {
    expect(failing((t) => squeeze(t, 0))).toThrow('squeeze: axis 0 of [2, 3] has not size 1');
    expect(failing((t) => split(t, 2, 1))).toThrow('split: parts [1.5, 1.5] do not add up to axis 1 of [2, 3]');
    expect(failing((t) => tile(t, [2]))).toThrow('tile: [2] does not name a count for each axis of [2, 3]');
    expect(failing((t) => pad(t, [0, 3], [0, 0], { mode: 'reflect' }))).toThrow(
      'pad: 3 and 0 elements (reflect) do not fit axis 1 of size 3',
    );
    expect(failing((t) => roll(t, 1, 2))).toThrow('roll: axis 2 is outside a tensor of rank 2');
    expect(failing((t) => topK(t, 4))).toThrow('topIndices: 4 of the 3 elements along axis 1 cannot be taken');
    expect(failing((t) => gatherND(t, range(t.graph, 3)))).toThrow(
      'gatherND: indices [3] do not name places in [2, 3]',
    );
    expect(failing((t) => diagonal(reshape(t, [6])))).toThrow('diagonal: [6] has no matrix in its last two axes');
    expect(failing((t) => argMax(reshape(t, [6]), { axis: 1 }))).toThrow(
      'argMax: axis 1 is outside a tensor of rank 1',
    );
    expect(failing((t) => conv(t, t))).toThrow('conv: [2, 3] and weight [2, 3] are not [n, c, ...spatial]');
    const image = (t: Tensor): Tensor => reshape(t, [1, 2, 3]);
    expect(failing((t) => conv(image(t), image(t), { groups: 2 }))).toThrow(
      'conv: [1, 2, 3] and weight [1, 2, 3] do not divide over 2 groups',
    );
    expect(failing((t) => conv(image(t), image(t), { stride: [1, 1] }))).toThrow(
      'conv: stride has 2 entries for 1 spatial axes',
    );
    expect(failing((t) => maxPool(image(t), { size: 4 }))).toThrow('maxPool: windows of [4] do not fit into [1, 2, 3]');
  });
});

describe('creation', () => {
  it('makes ranges, identities and triangles', () => {
    const { program } = trace({ x }, (inputs) => [
      range(inputs.x.graph, 3),
      identityMatrix(inputs.x.graph, 2),
      triangularMask(inputs.x.graph, 2, 3),
      triangularMask(inputs.x.graph, 2, 3, { diagonal: -1 }),
    ]);
    const found = evaluate(program, { x: floats([2, 3], new Float32Array(6)) });
    expect(found.map(({ data }) => [...data])).toEqual([
      [0, 1, 2],
      [1, 0, 0, 1],
      [1, 0, 0, 1, 1, 0],
      [0, 0, 0, 1, 0, 0],
    ]);
  });
});

describe('places that are known when the program runs', () => {
  it('are read and replaced', () => {
    const inputs = { x: floats([4, 2], [0, 1, 2, 3, 4, 5, 6, 7]), at: ints([], [1]) };
    const { program } = trace(inputs, ({ x: base, at }) => [
      sliceAt(base, at, 2),
      updateAt(base, sliceAt(base, at, 1, { axis: 1 }), at.graph.scalar(0, 'int32'), { axis: 1 }),
    ]);
    const found = evaluate(program, inputs);
    expect(found.map(({ data }) => [...data])).toEqual([
      [2, 3, 4, 5],
      [1, 1, 3, 3, 5, 5, 7, 7],
    ]);
  });
});

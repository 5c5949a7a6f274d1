import type { MovementParams } from '../../ir/primitive.ts';
import { stridesOf } from '../../shape.ts';
import { broadcastReader, forEachIndex, type ReferenceRules } from './rule.ts';

export const movementReference: ReferenceRules<keyof MovementParams> = {
  reshape: (y, [x]) => y.data.set(x!.data),
  transpose: (y, [x], { permutation }) => {
    const strides = stridesOf(x!.shape);
    forEachIndex(y.shape, (index, i) => {
      y.data[i] = x!.data[index.reduce((at, step, axis) => at + step * strides[permutation[axis]!]!, 0)]!;
    });
  },
  broadcast: (y, [x]) => {
    const read = broadcastReader(x!, y.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = read(i);
  },
  concat: (y, inputs, { axis }) => {
    const strides = stridesOf(y.shape);
    let start = 0;
    for (const input of inputs) {
      forEachIndex(input.shape, (index, i) => {
        y.data[index.reduce((at, step, a) => at + (a === axis ? step + start : step) * strides[a]!, 0)] =
          input.data[i]!;
      });
      start += input.shape[axis]!;
    }
  },
  slice: (y, [x], { starts, steps }) => {
    const strides = stridesOf(x!.shape);
    forEachIndex(y.shape, (index, i) => {
      const place = (step: number, axis: number): number =>
        (step * (steps?.[axis] ?? 1) + starts[axis]!) * strides[axis]!;
      y.data[i] = x!.data[index.reduce((at, step, axis) => at + place(step, axis), 0)]!;
    });
  },
  flip: (y, [x], { axes }) => {
    const strides = stridesOf(x!.shape);
    forEachIndex(y.shape, (index, i) => {
      const place = (step: number, axis: number): number => (axes.includes(axis) ? y.shape[axis]! - 1 - step : step);
      y.data[i] = x!.data[index.reduce((at, step, axis) => at + place(step, axis) * strides[axis]!, 0)]!;
    });
  },
  pad: (y, [x, value], { before }) => {
    const strides = stridesOf(y.shape);
    y.data.fill(value?.data[0] ?? 0);
    forEachIndex(x!.shape, (index, i) => {
      y.data[index.reduce((at, step, axis) => at + (step + before[axis]!) * strides[axis]!, 0)] = x!.data[i]!;
    });
  },
};

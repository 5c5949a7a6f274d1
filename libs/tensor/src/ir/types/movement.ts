import { invalidInput } from '@crucible/foundation';
import { assertShape, broadcastShapes, formatShape, shapesEqual, sizeOf } from '../../shape.ts';
import type { MovementParams } from '../primitive.ts';
import { expectAxis, expectShape, sameDtype, type TypeRules } from './rule.ts';

export const movementTypes: TypeRules<keyof MovementParams> = {
  reshape: ([x], { shape }, primitive) => {
    assertShape(shape, primitive);
    if (sizeOf(shape) !== sizeOf(x!.shape)) {
      throw invalidInput(`reshape: ${formatShape(x!.shape)} does not fill ${formatShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  transpose: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b);
    if (permutation.length !== x!.shape.length || !sorted.every((axis, i) => axis === i)) {
      throw invalidInput(
        `transpose: ${formatShape(permutation)} does not permute the axes of ${formatShape(x!.shape)}`,
      );
    }
    return { shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  broadcast: ([x], { shape }, primitive) => {
    if (!shapesEqual(broadcastShapes(x!.shape, shape, primitive), shape)) {
      throw invalidInput(`broadcast: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  concat: (inputs, { axis }) => {
    const [first] = inputs;
    if (!first) throw invalidInput('concat: there is nothing to join');
    for (const other of inputs) {
      const fits = other.shape.length === first.shape.length && other.dtype === first.dtype;
      if (!fits || !other.shape.every((size, i) => i === axis || size === first.shape[i])) {
        const shapes = inputs.map((input) => `${input.dtype}${formatShape(input.shape)}`).join(', ');
        throw invalidInput(`concat: ${shapes} differ outside axis ${axis}`);
      }
    }
    const total = inputs.reduce((sum, input) => sum + input.shape[axis]!, 0);
    return { shape: first.shape.map((size, i) => (i === axis ? total : size)), dtype: first.dtype };
  },
  slice: ([x], { starts, ends, steps }) => {
    const { shape, dtype } = x!;
    const inside = shape.every((size, i) => 0 <= starts[i]! && starts[i]! <= ends[i]! && ends[i]! <= size);
    const lists = steps === undefined ? [starts, ends] : [starts, ends, steps];
    if (!inside || lists.some((list) => list.length !== shape.length)) {
      throw invalidInput(`slice: ${formatShape(starts)} to ${formatShape(ends)} is not inside ${formatShape(shape)}`);
    }
    if (steps?.some((step) => !Number.isInteger(step) || step < 1)) {
      throw invalidInput(`slice: steps ${formatShape(steps)} are not whole numbers from 1`);
    }
    return { shape: starts.map((start, i) => Math.ceil((ends[i]! - start) / (steps?.[i] ?? 1))), dtype };
  },
  flip: ([x], { axes }, primitive) => {
    for (const axis of axes) expectAxis(axis, x!, primitive);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  pad: ([x, value], { before, after }, primitive) => {
    const { shape, dtype } = x!;
    if (before.length !== shape.length || after.length !== shape.length || [...before, ...after].some((n) => n < 0)) {
      throw invalidInput(`pad: ${formatShape(before)} and ${formatShape(after)} do not fit ${formatShape(shape)}`);
    }
    if (value) {
      sameDtype(x!, value, primitive);
      expectShape(value, [], 'pad: value');
    }
    return { shape: shape.map((size, i) => before[i]! + size + after[i]!), dtype };
  },
};

import { invalidInput } from '@crucible/foundation';

/** Sizes of the axes, outermost first; `[]` is a scalar. All are known when a program is traced. */
export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function shapesEqual(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Elements to step over for one step along each axis, row-major. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** The shape that two shapes broadcast to by NumPy's rule: aligned at the last axis, sizes equal or 1. */
export function broadcastShapes(a: Shape, b: Shape, what: string): Shape {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const sizeA = a[a.length - rank + i] ?? 1;
    const sizeB = b[b.length - rank + i] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw invalidInput(`${what}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
    }
    result.push(sizeA === 1 ? sizeB : sizeA);
  }
  return result;
}

/** A possibly negative axis as an index from 0; the error names the operation. */
export function resolveAxis(axis: number, rank: number, what: string): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw invalidInput(`${what}: axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return resolved;
}

export function assertShape(shape: Shape, what: string): void {
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw invalidInput(`${what}: ${formatShape(shape)} is no shape; sizes are whole numbers from 0`);
  }
}

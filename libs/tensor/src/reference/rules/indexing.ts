import type { IndexingParams } from '../../ir/primitive.ts';
import { sizeOf } from '../../shape.ts';
import { lines, type ReferenceArray, type ReferenceRules } from './rule.ts';

export const indexingReference: ReferenceRules<keyof IndexingParams> = {
  gather: (y, [x, ids], { axis }) => {
    const inner = sizeOf(x!.shape.slice(axis + 1));
    const [size, count] = [x!.shape[axis]!, ids!.data.length];
    for (let i = 0; i < y.data.length; i++) {
      const [outer, rest] = [Math.floor(i / (count * inner)), i % (count * inner)];
      y.data[i] = x!.data[(outer * size + ids!.data[Math.floor(rest / inner)]!) * inner + (rest % inner)]!;
    }
  },
  scatterAdd: (y, inputs) => scatter(y, inputs, (old, update) => old + update),
  scatterSet: (y, inputs) => scatter(y, inputs, (_old, update) => update),
  takeAlong: (y, [x, ids], { axis }) => {
    const from = placesAlong(x!, axis);
    lines(y.shape, axis, (at, line) => {
      for (let i = 0; i < y.shape[axis]!; i++) y.data[at(i)] = x!.data[from[line]!(ids!.data[at(i)]!)]!;
    });
  },
  scatterAlong: (y, [base, ids, updates], { axis }) => {
    const to = placesAlong(base!, axis);
    y.data.set(base!.data);
    lines(ids!.shape, axis, (at, line) => {
      for (let i = 0; i < ids!.shape[axis]!; i++) y.data[to[line]!(ids!.data[at(i)]!)]! += updates!.data[at(i)]!;
    });
  },
  topIndices: (y, [x], { axis, k, largest }) => {
    const to = placesAlong(y, axis);
    lines(x!.shape, axis, (at, line) => {
      const order = Array.from({ length: x!.shape[axis]! }, (_, i) => i);
      const value = (i: number): number => x!.data[at(i)]!;
      // A sort in JavaScript keeps equal elements in their order.
      order.sort((a, b) => (largest ? value(b) - value(a) : value(a) - value(b)));
      for (let i = 0; i < k; i++) y.data[to[line]!(i)] = order[i]!;
    });
  },
};

/** For each line along an axis, where its element i is. */
function placesAlong({ shape }: ReferenceArray, axis: number): ((i: number) => number)[] {
  const places: ((i: number) => number)[] = [];
  lines(shape, axis, (at) => places.push(at));
  return places;
}

function scatter(
  y: ReferenceArray,
  [base, ids, updates]: readonly ReferenceArray[],
  combine: (old: number, update: number) => number,
): void {
  const width = sizeOf(base!.shape.slice(1));
  y.data.set(base!.data);
  updates!.data.forEach((value, i) => {
    const at = ids!.data[Math.floor(i / width)]! * width + (i % width);
    y.data[at] = combine(y.data[at]!, value);
  });
}

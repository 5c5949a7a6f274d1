import type { IndexingParams } from '../../ir/primitive.ts';
import { sizeOf } from '../../shape.ts';
import { lastSize, type ReferenceRules } from './rule.ts';

export const indexingReference: ReferenceRules<keyof IndexingParams> = {
  gather: (y, [table, ids]) => {
    const width = sizeOf(table!.shape.slice(1));
    ids!.data.forEach((id, i) => y.data.set(table!.data.subarray(id * width, (id + 1) * width), i * width));
  },
  scatterAdd: (y, [base, ids, updates]) => {
    const width = sizeOf(base!.shape.slice(1));
    y.data.set(base!.data);
    updates!.data.forEach((value, i) => (y.data[ids!.data[Math.floor(i / width)]! * width + (i % width)]! += value));
  },
  takeAlong: (y, [x, ids]) => {
    const [size, picked] = [lastSize(x!), lastSize(ids!)];
    ids!.data.forEach((id, i) => (y.data[i] = x!.data[Math.floor(i / picked) * size + id]!));
  },
  scatterAlong: (y, [base, ids, updates]) => {
    const [size, picked] = [lastSize(base!), lastSize(ids!)];
    y.data.set(base!.data);
    ids!.data.forEach((id, i) => (y.data[Math.floor(i / picked) * size + id]! += updates!.data[i]!));
  },
};

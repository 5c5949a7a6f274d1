import type { IndexingParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { zerosLike } from '../../library/creation.ts';
import { gather, scatterAdd, scatterAlong, scatterSet, takeAlong } from '../../library/indexing.ts';
import { type GradientRules, noGradient } from '../rule.ts';

export const indexingGradients: GradientRules<keyof IndexingParams> = {
  // A row's gradient is the sum over its uses
  gather: (y, dy) => {
    const [x, indices] = y.inputs as [Tensor, Tensor];
    return [scatterAdd(zerosLike(x), indices, dy, y.params), undefined];
  },
  scatterAdd: (y, dy) => [dy, undefined, gather(dy, y.inputs[1]!)],
  // What was replaced has no part in the result
  scatterSet: (y, dy) => {
    const [, indices, updates] = y.inputs as [Tensor, Tensor, Tensor];
    return [scatterSet(dy, indices, zerosLike(updates)), undefined, gather(dy, indices)];
  },
  takeAlong: (y, dy) => {
    const [x, indices] = y.inputs as [Tensor, Tensor];
    return [scatterAlong(zerosLike(x), indices, dy, y.params), undefined];
  },
  scatterAlong: (y, dy) => [dy, undefined, takeAlong(dy, y.inputs[1]!, y.params)],
  topIndices: noGradient,
};

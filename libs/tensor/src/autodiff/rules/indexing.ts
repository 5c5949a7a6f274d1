import type { IndexingParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { gather, scatterAdd, scatterAlong, takeAlong } from '../../library/indexing.ts';
import { broadcastTo } from '../../library/movement.ts';
import type { GradientRules } from '../rule.ts';

export const indexingGradients: GradientRules<keyof IndexingParams> = {
  // A row's gradient is the sum over its uses
  gather: (y, dy) => {
    const [table, indices] = y.inputs as [Tensor, Tensor];
    return [scatterAdd(zerosLike(table), indices, dy), undefined];
  },
  scatterAdd: (y, dy) => [dy, undefined, gather(dy, y.inputs[1]!)],
  takeAlong: (y, dy) => {
    const [x, indices] = y.inputs as [Tensor, Tensor];
    return [scatterAlong(zerosLike(x), indices, dy), undefined];
  },
  scatterAlong: (y, dy) => [dy, undefined, takeAlong(dy, y.inputs[1]!)],
};

function zerosLike(x: Tensor): Tensor {
  return broadcastTo(x.graph.scalar(0), x.shape);
}

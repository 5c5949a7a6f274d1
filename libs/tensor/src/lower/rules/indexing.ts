import type { IndexingParams } from '../../ir/primitive.ts';
import { type OnnxRules, operator, toInt64 } from './rule.ts';

export const indexingOnnx: OnnxRules<keyof IndexingParams> = {
  gather: operator('Gather', { axis: 0 }),
  scatterAdd: (onnx, { inputs: [, ids] }, [base, indices, updates]) => {
    const wide = toInt64(onnx, indices!);
    const rows = onnx.sharedOp('Reshape', [wide, onnx.int64s([...ids!.shape, 1])]);
    return onnx.op('ScatterND', [base!, rows, updates!], { attributes: { reduction: 'add' } });
  },
  takeAlong: operator('GatherElements', { axis: -1 }),
  scatterAlong: operator('ScatterElements', { axis: -1, reduction: 'add' }),
};

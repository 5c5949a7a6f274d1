import type { IndexingParams } from '../../ir/primitive.ts';
import { elementType } from '../onnx-writer.ts';
import { type OnnxRule, type OnnxRules, toInt64 } from './rule.ts';

export const indexingOnnx: OnnxRules<keyof IndexingParams> = {
  gather: (onnx, { params: { axis } }, inputs) => onnx.op('Gather', inputs, { attributes: { axis } }),
  scatterAdd: scatter('add'),
  scatterSet: scatter('none'),
  takeAlong: (onnx, { params: { axis } }, inputs) => onnx.op('GatherElements', inputs, { attributes: { axis } }),
  scatterAlong: (onnx, { params: { axis } }, inputs) =>
    onnx.op('ScatterElements', inputs, { attributes: { axis, reduction: 'add' } }),
  topIndices: (onnx, { params: { axis, k, largest } }, [x]) => {
    const attributes = { axis, largest: Number(largest) };
    const [, found] = onnx.node('TopK', [x!, onnx.int64s([k])], { attributes, outputs: 2 });
    return onnx.op('Cast', [found!], { attributes: { to: elementType.int32 } });
  },
};

function scatter(reduction: 'add' | 'none'): OnnxRule<'scatterAdd' | 'scatterSet'> {
  return (onnx, { inputs: [, ids] }, [base, indices, updates]) => {
    const wide = toInt64(onnx, indices!);
    const rows = onnx.sharedOp('Reshape', [wide, onnx.int64s([...ids!.shape, 1])]);
    return onnx.op('ScatterND', [base!, rows, updates!], { attributes: { reduction } });
  };
}

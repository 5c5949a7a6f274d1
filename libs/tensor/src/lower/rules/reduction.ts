import type { ReductionParams } from '../../ir/primitive.ts';
import { elementType, type OnnxWriter } from '../onnx-writer.ts';
import type { OnnxRules } from './rule.ts';

export const reductionOnnx: OnnxRules<keyof ReductionParams> = {
  sum: (onnx, { params }, [x]) => reduction(onnx, 'ReduceSum', x!, params),
  max: (onnx, { params }, [x]) => reduction(onnx, 'ReduceMax', x!, params),
  logSumExp: (onnx, _tensor, [x]) => reduction(onnx, 'ReduceLogSumExp', x!, { axes: [-1], keepDims: true }),
  cumulativeSum: (onnx, { params }, [x]) =>
    onnx.op('CumSum', [x!, onnx.int64(-1)], { attributes: { reverse: Number(params.reverse) } }),
  argMax: (onnx, _tensor, inputs) => {
    const found = onnx.op('ArgMax', inputs, { attributes: { axis: -1, keepdims: 0 } });
    return onnx.op('Cast', [found], { attributes: { to: elementType.int32 } });
  },
};

function reduction(
  onnx: OnnxWriter,
  name: string,
  x: string,
  { axes, keepDims }: { readonly axes: readonly number[]; readonly keepDims: boolean },
): string {
  // Without axes the standard reduces all of them; a reduction over none is the value itself.
  if (axes.length === 0) return onnx.op('Identity', [x]);
  return onnx.op(name, [x, onnx.int64s(axes)], { attributes: { keepdims: Number(keepDims) } });
}

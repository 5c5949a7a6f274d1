import type { ReductionParams } from '../../ir/primitive.ts';
import { elementType, type OnnxWriter } from '../onnx-writer.ts';
import type { OnnxRule, OnnxRules } from './rule.ts';

export const reductionOnnx: OnnxRules<keyof ReductionParams> = {
  sum: (onnx, { params }, [x]) => reduction(onnx, 'ReduceSum', x!, params),
  max: (onnx, { params }, [x]) => reduction(onnx, 'ReduceMax', x!, params),
  min: (onnx, { params }, [x]) => reduction(onnx, 'ReduceMin', x!, params),
  logSumExp: (onnx, _tensor, [x]) => reduction(onnx, 'ReduceLogSumExp', x!, { axes: [-1], keepDims: true }),
  cumulativeSum: (onnx, { params: { axis, exclusive, reverse } }, [x]) =>
    onnx.op('CumSum', [x!, onnx.int64(axis)], {
      attributes: { exclusive: Number(exclusive), reverse: Number(reverse) },
    }),
  argMax: extremeIndex('ArgMax'),
  argMin: extremeIndex('ArgMin'),
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

function extremeIndex(operator: 'ArgMax' | 'ArgMin'): OnnxRule<'argMax' | 'argMin'> {
  return (onnx, { params }, inputs) => {
    const found = onnx.op(operator, inputs, { attributes: { axis: params.axis, keepdims: 0 } });
    return onnx.op('Cast', [found], { attributes: { to: elementType.int32 } });
  };
}

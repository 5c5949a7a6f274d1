import type { ConvolutionParams, Windows } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { AttributeValue, OnnxWriter } from '../onnx-writer.ts';
import type { OnnxRules } from './rule.ts';

export const convolutionOnnx: OnnxRules<keyof ConvolutionParams> = {
  conv: (onnx, { params }, inputs) => onnx.op('Conv', inputs, { attributes: windows(params) }),
  convTranspose: (onnx, { params, inputs: [y, weight] }, inputs) => layWindows(onnx, params, [y!, weight!], inputs),
};

/** Windows over a result of params.size. */
export function layWindows(
  onnx: OnnxWriter,
  params: ConvolutionParams['convTranspose'],
  operands: readonly [y: Tensor, weight: Tensor],
  inputs: readonly string[],
): string {
  const extent = extentOfWindows(params, operands);
  // What the windows leave over behind the last of them
  const rest = params.size.map((size, i) => size + params.before[i]! + params.after[i]! - extent[i]!);
  return onnx.op('ConvTranspose', inputs, { attributes: { ...windows(params), output_padding: rest } });
}

/** How far the windows reach along each axis, from the first to the last. */
export function extentOfWindows(
  { strides, dilations }: Windows,
  [y, weight]: readonly [y: Tensor, weight: Tensor],
): number[] {
  return strides.map((stride, i) => (y.shape[i + 2]! - 1) * stride + dilations[i]! * (weight.shape[i + 2]! - 1) + 1);
}

function windows({
  strides,
  dilations,
  before,
  after,
  groups,
}: Windows & { readonly groups: number }): Record<string, AttributeValue> {
  return { strides, dilations, pads: [...before, ...after], group: groups };
}

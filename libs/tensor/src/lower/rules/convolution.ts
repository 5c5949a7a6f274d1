import type { ConvolutionParams, Windows } from '../../ir/primitive.ts';
import type { AttributeValue } from '../onnx-writer.ts';
import type { OnnxRules } from './rule.ts';

export const convolutionOnnx: OnnxRules<keyof ConvolutionParams> = {
  conv: (onnx, { params }, inputs) => onnx.op('Conv', inputs, { attributes: windows(params) }),
  convTranspose: (onnx, { params, inputs: [y, weight] }, inputs) => {
    const { strides, dilations, before, after, size } = params;
    // What the windows leave over behind the last of them
    const rest = size.map((n, i) => {
      const reach = dilations[i]! * (weight!.shape[i + 2]! - 1) + 1;
      return n + before[i]! + after[i]! - reach - (y!.shape[i + 2]! - 1) * strides[i]!;
    });
    return onnx.op('ConvTranspose', inputs, { attributes: { ...windows(params), output_padding: rest } });
  },
};

function windows({
  strides,
  dilations,
  before,
  after,
  groups,
}: Windows & { readonly groups: number }): Record<string, AttributeValue> {
  return { strides, dilations, pads: [...before, ...after], group: groups };
}

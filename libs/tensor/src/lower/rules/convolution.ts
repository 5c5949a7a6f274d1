import type { ConvolutionParams } from '../../ir/primitive.ts';
import type { OnnxRules } from './rule.ts';

export const convolutionOnnx: OnnxRules<keyof ConvolutionParams> = {
  conv: (onnx, { params: { strides, dilations, before, after, groups } }, inputs) =>
    onnx.op('Conv', inputs, { attributes: { strides, dilations, pads: [...before, ...after], group: groups } }),
};

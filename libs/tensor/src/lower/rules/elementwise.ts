import type { ElementwiseParams } from '../../ir/primitive.ts';
import { elementType, FloatAttribute, microsoft } from '../onnx-writer.ts';
import { type OnnxRules, operator } from './rule.ts';

export const elementwiseOnnx: OnnxRules<keyof ElementwiseParams> = {
  neg: operator('Neg'),
  abs: operator('Abs'),
  sign: operator('Sign'),
  exp: operator('Exp'),
  log: operator('Log'),
  sqrt: operator('Sqrt'),
  reciprocal: operator('Reciprocal'),
  sin: operator('Sin'),
  cos: operator('Cos'),
  tanh: operator('Tanh'),
  erf: operator('Erf'),
  sigmoid: operator('Sigmoid'),
  // x · sigmoid(alpha x): one pass over memory instead of two
  silu: (onnx, _tensor, inputs) =>
    onnx.op('QuickGelu', inputs, { domain: microsoft, attributes: { alpha: new FloatAttribute(1) } }),
  gelu: operator('Gelu', { approximate: 'none' }),
  not: operator('Not'),
  cast: (onnx, { params }, inputs) => onnx.op('Cast', inputs, { attributes: { to: elementType[params.dtype] } }),
  stopGradient: operator('Identity'),

  add: operator('Add'),
  sub: operator('Sub'),
  mul: operator('Mul'),
  div: operator('Div'),
  pow: operator('Pow'),
  maximum: operator('Max'),
  minimum: operator('Min'),
  equal: operator('Equal'),
  less: operator('Less'),
  lessOrEqual: operator('LessOrEqual'),
  and: operator('And'),
  or: operator('Or'),
  where: operator('Where'),
};

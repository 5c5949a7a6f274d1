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
  tan: operator('Tan'),
  asin: operator('Asin'),
  acos: operator('Acos'),
  atan: operator('Atan'),
  sinh: operator('Sinh'),
  cosh: operator('Cosh'),
  tanh: operator('Tanh'),
  asinh: operator('Asinh'),
  acosh: operator('Acosh'),
  atanh: operator('Atanh'),
  // Kahan's: what 1 + x lost by rounding divides out again
  log1p: (onnx, _tensor, [x]) => {
    const one = onnx.scalar(1);
    const rounded = onnx.op('Add', [x!, one]);
    const kept = onnx.op('Sub', [rounded, one]);
    const log = onnx.op('Log', [rounded]);
    const ratio = onnx.op('Where', [onnx.op('Equal', [kept, x!]), one, onnx.op('Div', [x!, kept])]);
    return onnx.op('Where', [onnx.op('Equal', [kept, onnx.scalar(0)]), x!, onnx.op('Mul', [log, ratio])]);
  },
  expm1: (onnx, _tensor, [x]) => {
    const one = onnx.scalar(1);
    const rounded = onnx.op('Exp', [x!]);
    const rest = onnx.op('Sub', [rounded, one]);
    const exact = onnx.op('Mul', [rest, onnx.op('Div', [x!, onnx.op('Log', [rounded])])]);
    const small = onnx.op('Where', [onnx.op('Equal', [rest, onnx.scalar(0)]), x!, exact]);
    return onnx.op('Where', [onnx.op('Less', [onnx.op('Abs', [x!]), one]), small, rest]);
  },
  erf: operator('Erf'),
  sigmoid: operator('Sigmoid'),
  // x · sigmoid(alpha x): one pass over memory instead of two
  silu: (onnx, _tensor, inputs) =>
    onnx.op('QuickGelu', inputs, { domain: microsoft, attributes: { alpha: new FloatAttribute(1) } }),
  gelu: operator('Gelu', { approximate: 'none' }),
  geluTanh: operator('Gelu', { approximate: 'tanh' }),
  relu: operator('Relu'),
  softplus: operator('Softplus'),
  floor: operator('Floor'),
  ceil: operator('Ceil'),
  round: operator('Round'),
  not: operator('Not'),
  cast: (onnx, { params }, inputs) => onnx.op('Cast', inputs, { attributes: { to: elementType[params.dtype] } }),
  stopGradient: operator('Identity'),
  // x - 0, where the 0 is worked out of the token as the program runs: a copy, and one that no pass of ONNX Runtime can
  // see through. Where the token is NaN it is less than nothing, too.
  barrier: (onnx, _tensor, [x, token]) => {
    const list = onnx.sharedOp('Reshape', [token!, onnx.int64s([-1])]);
    const first = onnx.sharedOp('Slice', [list, onnx.int64s([0]), onnx.int64s([1])]);
    const never = onnx.sharedOp('Less', [first, first]);
    const zero = onnx.sharedOp('Cast', [never], { attributes: { to: elementType.float32 } });
    return onnx.op('Sub', [x!, onnx.sharedOp('Reshape', [zero, onnx.int64s([])])]);
  },

  add: operator('Add'),
  sub: operator('Sub'),
  mul: operator('Mul'),
  div: operator('Div'),
  rem: operator('Mod', { fmod: 1 }),
  pow: operator('Pow'),
  maximum: operator('Max'),
  minimum: operator('Min'),
  equal: operator('Equal'),
  less: operator('Less'),
  lessOrEqual: operator('LessOrEqual'),
  and: operator('And'),
  or: operator('Or'),
  bitAnd: operator('BitwiseAnd'),
  bitOr: operator('BitwiseOr'),
  bitXor: operator('BitwiseXor'),
  shiftLeft: operator('BitShift', { direction: 'LEFT' }),
  shiftRight: operator('BitShift', { direction: 'RIGHT' }),
  where: operator('Where'),
};

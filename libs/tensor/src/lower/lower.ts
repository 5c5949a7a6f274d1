/** Turns a program into an ONNX model: one rule per primitive. */
import { topologicalOrder, type Program } from '../ir/graph.ts';
import type { Primitive, PrimitiveParams } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { isPlainNorm } from '../rewrite/share-norm.ts';
import { sizeOf } from '../shape.ts';
import { elementType, FloatAttribute, microsoft, OnnxWriter, type AttributeValue } from './onnx-writer.ts';

export interface LoweredProgram {
  /** A serialised ONNX model. */
  readonly model: Uint8Array;
  /** Names of the results, in the program's order. Inputs keep their own names. */
  readonly outputs: readonly string[];
  readonly nodeCount: number;
}

export function lowerProgram(program: Program): LoweredProgram {
  const lowering = new Lowering();
  for (const input of program.inputs) lowering.declareInput(input);
  for (const tensor of topologicalOrder(program.outputs)) lowering.lower(tensor);
  const outputs = program.outputs.map((output) => lowering.writer.output(lowering.name(output), output));
  return { model: lowering.writer.finish(), outputs, nodeCount: lowering.writer.nodeCount };
}

/** Elements of a product beyond which its bias is added by a pass of its own. */
const largestGemmBias = 1 << 16;

/** Zeros that a pad holds as constants, at most. */
const largestZeros = 1 << 13;

class Lowering {
  readonly writer = new OnnxWriter();
  readonly #names = new Map<Tensor, string>();

  declareInput(input: Tensor<'input'>): void {
    this.writer.input(input.params.name, input);
    this.#names.set(input, input.params.name);
  }

  lower(tensor: Tensor): void {
    if (this.#names.has(tensor)) return;
    const rule = onnxRules[tensor.primitive] as OnnxRule<Primitive>;
    const inputs = tensor.inputs.map((input) => this.name(input));
    this.#names.set(tensor, rule(this.writer, tensor, inputs));
  }

  name(tensor: Tensor): string {
    return this.#names.get(tensor)!;
  }
}

/** Writes the nodes for `tensor`, whose inputs have the given names, and returns the name of its value. */
type OnnxRule<P extends Primitive> = (onnx: OnnxWriter, tensor: Tensor<P>, inputs: readonly string[]) => string;

const onnxRules: { readonly [P in Primitive]: OnnxRule<P> } = {
  input: (_onnx, tensor) => {
    throw new Error(`internal: input ${tensor.params.name} is not declared`);
  },
  constant: (onnx, { params }) => onnx.constant(params.value),

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

  sum: (onnx, { params }, [x]) => reduction(onnx, 'ReduceSum', x!, params),
  max: (onnx, { params }, [x]) => reduction(onnx, 'ReduceMax', x!, params),
  logSumExp: (onnx, _tensor, [x]) => reduction(onnx, 'ReduceLogSumExp', x!, { axes: [-1], keepDims: true }),
  cumulativeSum: (onnx, { params }, [x]) =>
    onnx.op('CumSum', [x!, onnx.int64(-1)], { attributes: { reverse: Number(params.reverse) } }),
  argMax: (onnx, _tensor, inputs) => {
    const found = onnx.op('ArgMax', inputs, { attributes: { axis: -1, keepdims: 0 } });
    return onnx.op('Cast', [found], { attributes: { to: elementType.int32 } });
  },

  matmul: (onnx, tensor, inputs) => {
    const isMatrix = tensor.inputs.every((input) => input.rank === 2);
    const attributes = productAttributes(tensor.params);
    return isMatrix
      ? onnx.op('Gemm', inputs, { attributes })
      : onnx.op('FusedMatMul', inputs, { domain: microsoft, attributes });
  },
  matmulAdd: (onnx, { params, shape }, [a, b, c]) => {
    const attributes = productAttributes(params);
    // Gemm spreads a bias over its result with one thread before it begins
    if (sizeOf(shape) <= largestGemmBias) return onnx.op('Gemm', [a!, b!, c!], { attributes });
    return onnx.op('Add', [onnx.op('Gemm', [a!, b!], { attributes }), c!]);
  },

  reshape: (onnx, { params }, [x]) =>
    onnx.op('Reshape', [x!, onnx.int64s(params.shape)], { attributes: { allowzero: 1 } }),
  transpose: (onnx, { params }, inputs) => onnx.op('Transpose', inputs, { attributes: { perm: params.permutation } }),
  broadcast: (onnx, { params }, [x]) => onnx.op('Expand', [x!, onnx.int64s(params.shape)]),
  concat: (onnx, { params }, inputs) => onnx.op('Concat', inputs, { attributes: { axis: params.axis } }),
  slice: (onnx, { params, inputs: [x] }, [name]) => {
    const axes = params.starts.flatMap((start, axis) =>
      start !== 0 || params.ends[axis] !== x!.shape[axis] ? [axis] : [],
    );
    const of = (list: readonly number[]): string => onnx.int64s(axes.map((axis) => list[axis]!));
    return onnx.op('Slice', [name!, of(params.starts), of(params.ends), onnx.int64s(axes)]);
  },
  pad: (onnx, { params, dtype, shape }, [x]) => {
    const { before, after } = params;
    const padded = shape.flatMap((_size, axis) => (before[axis]! > 0 || after[axis]! > 0 ? [axis] : []));
    const zeros = (axis: number, count: number): string[] => {
      const size = sizeOf(shape.with(axis, count));
      if (size === 0) return [];
      return [onnx.constant({ dtype: 'float32', shape: shape.with(axis, count), data: new Float32Array(size) })];
    };
    // Pad goes element by element; a few zeros beside a tensor are joined to it in long copies.
    const [axis] = padded as [number];
    const isNarrow = padded.length === 1 && sizeOf(shape.with(axis, before[axis]! + after[axis]!)) <= largestZeros;
    if (dtype !== 'float32' || !isNarrow) return onnx.op('Pad', [x!, onnx.int64s([...before, ...after])]);
    return onnx.op('Concat', [...zeros(axis, before[axis]!), x!, ...zeros(axis, after[axis]!)], {
      attributes: { axis },
    });
  },

  gather: operator('Gather', { axis: 0 }),
  scatterAdd: (onnx, { inputs: [, ids] }, [base, indices, updates]) => {
    const wide = toInt64(onnx, indices!);
    const rows = onnx.sharedOp('Reshape', [wide, onnx.int64s([...ids!.shape, 1])]);
    return onnx.op('ScatterND', [base!, rows, updates!], { attributes: { reduction: 'add' } });
  },
  takeAlong: operator('GatherElements', { axis: -1 }),
  scatterAlong: operator('ScatterElements', { axis: -1, reduction: 'add' }),

  softmax: operator('Softmax', { axis: -1 }),
  rmsNorm: (onnx, tensor, inputs) => norm(onnx, 'SimplifiedLayerNormalization', tensor, inputs),
  inverseRms: (onnx, tensor, [x]) => plainNorm(onnx, 'SimplifiedLayerNormalization', tensor, x!)[1]!,
  layerNorm: (onnx, tensor, inputs) => norm(onnx, 'LayerNormalization', tensor, inputs),
  inverseStd: (onnx, tensor, [x]) => plainNorm(onnx, 'LayerNormalization', tensor, x!)[2]!,
  rotary: (onnx, { params }, [x, positions, cos, sin]) =>
    onnx.op('RotaryEmbedding', [x!, toInt64(onnx, positions!), cos!, sin!], {
      domain: microsoft,
      attributes: { num_heads: params.heads },
    }),
};

function operator(name: string, attributes?: Record<string, AttributeValue>): OnnxRule<Primitive> {
  return (onnx, _tensor, inputs) => onnx.op(name, inputs, attributes === undefined ? {} : { attributes });
}

function productAttributes({
  transposeA,
  transposeB,
  alpha,
}: PrimitiveParams['matmul']): Record<string, AttributeValue> {
  return { transA: Number(transposeA), transB: Number(transposeB), alpha: new FloatAttribute(alpha) };
}

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

type NormOperator = 'LayerNormalization' | 'SimplifiedLayerNormalization';
type NormPrimitive = 'layerNorm' | 'inverseStd' | 'rmsNorm' | 'inverseRms';

function norm(onnx: OnnxWriter, operator: NormOperator, tensor: Tensor<NormPrimitive>, inputs: readonly string[]) {
  if (isPlainNorm(tensor)) return plainNorm(onnx, operator, tensor, inputs[0]!)[0]!;
  return onnx.op(operator, inputs, { attributes: normalisation(tensor.params.epsilon) });
}

/** All results of a normalisation with weight 1: one node gives the normalised rows and what they were multiplied by. */
function plainNorm(onnx: OnnxWriter, operator: NormOperator, { params, inputs }: Tensor<NormPrimitive>, x: string) {
  return onnx.sharedNode(operator, [x, onnx.filled(1, inputs[0]!.shape.at(-1)!)], {
    attributes: normalisation(params.epsilon),
    outputs: operator === 'LayerNormalization' ? 3 : 2,
  });
}

function normalisation(epsilon: number): Record<string, AttributeValue> {
  return { axis: -1, epsilon: new FloatAttribute(epsilon) };
}

function toInt64(onnx: OnnxWriter, name: string): string {
  return onnx.sharedOp('Cast', [name], { attributes: { to: elementType.int64 } });
}

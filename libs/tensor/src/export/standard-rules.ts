/** What primitives become in the ONNX standard, without operators of ONNX Runtime's own: those of forward passes. */
import type { Primitive, PrimitiveParams } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { elementType, FloatAttribute } from '../lower/onnx-writer.ts';
import type { Attributes, OnnxFile } from './onnx-file.ts';
import type { OpenSizes } from './open-sizes.ts';

interface Exporting {
  readonly file: OnnxFile;
  readonly sizes: OpenSizes;
}

/** Writes the nodes for `tensor`, whose inputs have the given names, and returns the name of its value. */
type StandardRule<P extends Primitive> = (to: Exporting, tensor: Tensor<P>, inputs: readonly string[]) => string;

export const standardRules: { readonly [P in Primitive]?: StandardRule<P> } = {
  constant: ({ file, sizes }, { params: { value } }) => {
    const { dtype, shape, data } = value;
    if (shape.some((size) => sizes.isOpen(size))) return sizes.constant(dtype, shape, data);
    return file.constant(dtype, shape, data);
  },

  neg: operator('Neg'),
  exp: operator('Exp'),
  log: operator('Log'),
  sqrt: operator('Sqrt'),
  sin: operator('Sin'),
  cos: operator('Cos'),
  tanh: operator('Tanh'),
  sigmoid: operator('Sigmoid'),
  silu: ({ file }, _tensor, [x]) => file.op('Mul', [x!, file.op('Sigmoid', [x!])]),
  gelu: operator('Gelu'),
  geluTanh: operator('Gelu', { approximate: 'tanh' }),
  relu: operator('Relu'),
  not: operator('Not'),
  cast: ({ file }, { params }, inputs) => file.op('Cast', inputs, { to: elementType[params.dtype] }),

  add: operator('Add'),
  sub: operator('Sub'),
  mul: operator('Mul'),
  div: operator('Div'),
  maximum: operator('Max'),
  minimum: operator('Min'),
  equal: operator('Equal'),
  less: operator('Less'),
  where: operator('Where'),

  sum: ({ file }, { params }, [x]) => reduction(file, 'ReduceSum', x!, params),
  max: ({ file }, { params }, [x]) => reduction(file, 'ReduceMax', x!, params),
  cumulativeSum: ({ file }, { params }, [x]) =>
    file.op('CumSum', [x!, file.int64(params.axis)], {
      exclusive: Number(params.exclusive),
      reverse: Number(params.reverse),
    }),

  matmul: ({ file }, { params: { transposeA, transposeB, alpha }, inputs: [a, b] }, [left, right]) => {
    const oriented = (name: string, rank: number, isTransposed: boolean): string => {
      if (!isTransposed) return name;
      const axes = Array.from({ length: rank }, (_, axis) => axis);
      return file.op('Transpose', [name], { perm: [...axes.slice(0, -2), rank - 1, rank - 2] });
    };
    const product = file.op('MatMul', [oriented(left!, a!.rank, transposeA), oriented(right!, b!.rank, transposeB)]);
    return alpha === 1 ? product : file.op('Mul', [product, file.floats([], [alpha])]);
  },

  reshape: ({ file, sizes }, { params }, [x]) => file.op('Reshape', [x!, sizes.shape(params.shape)], { allowzero: 1 }),
  transpose: ({ file }, { params }, inputs) => file.op('Transpose', inputs, { perm: params.permutation }),
  broadcast: ({ file, sizes }, { params }, [x]) => file.op('Expand', [x!, sizes.shape(params.shape)]),
  concat: ({ file }, { params }, inputs) => file.op('Concat', inputs, { axis: params.axis }),
  slice: ({ file, sizes }, { params: { starts, ends, steps }, inputs: [x] }, [name]) => {
    const isCut = (axis: number): boolean =>
      starts[axis] !== 0 || ends[axis] !== x!.shape[axis] || (steps?.[axis] ?? 1) !== 1;
    const axes = starts.flatMap((_start, axis) => (isCut(axis) ? [axis] : []));
    const of = (list: readonly number[]): string => sizes.shape(axes.map((axis) => list[axis]!));
    const strides = steps ? [file.int64s(axes.map((axis) => steps[axis]!))] : [];
    return file.op('Slice', [name!, of(starts), of(ends), file.int64s(axes), ...strides]);
  },

  gather: ({ file }, { params }, inputs) => file.op('Gather', inputs, { axis: params.axis }),
  softmax: operator('Softmax', { axis: -1 }),
  layerNorm: ({ file }, { params }, inputs) =>
    file.op('LayerNormalization', inputs, { axis: -1, epsilon: new FloatAttribute(params.epsilon) }),
  rmsNorm: ({ file }, { params }, [x, weight]) => {
    const squares = file.op('ReduceMean', [file.op('Mul', [x!, x!]), file.int64s([-1])], { keepdims: 1 });
    const root = file.op('Sqrt', [file.op('Add', [squares, file.floats([], [params.epsilon])])]);
    return file.op('Mul', [file.op('Div', [x!, root]), weight!]);
  },
  rotary: ({ file, sizes }, { params: { heads }, shape }, [x, rows, cos, sin]) => {
    const [batch, time, width] = shape as [number, number, number];
    const half = width / heads / 2;
    const split = file.op('Reshape', [x!, sizes.shape([batch, time, heads, 2 * half])], { allowzero: 1 });
    const part = (start: number): string =>
      file.op('Slice', [split, file.int64s([start]), file.int64s([start + half]), file.int64s([3])]);
    const [first, second] = [part(0), part(half)];
    // One angle for all heads: [batch, time, 1, half].
    const angles = (table: string): string =>
      file.op('Unsqueeze', [file.op('Gather', [table, rows!], { axis: 0 }), file.int64s([2])]);
    const [c, s] = [angles(cos!), angles(sin!)];
    const turned = file.op(
      'Concat',
      [
        file.op('Sub', [file.op('Mul', [first, c]), file.op('Mul', [second, s])]),
        file.op('Add', [file.op('Mul', [second, c]), file.op('Mul', [first, s])]),
      ],
      { axis: 3 },
    );
    return file.op('Reshape', [turned, sizes.shape(shape)], { allowzero: 1 });
  },
};

function operator(name: string, attributes?: Attributes): StandardRule<Primitive> {
  return ({ file }, _tensor, inputs) => file.op(name, inputs, attributes);
}

function reduction(file: OnnxFile, name: string, x: string, { axes, keepDims }: PrimitiveParams['sum']): string {
  return file.op(name, [x, file.int64s(axes)], { keepdims: Number(keepDims) });
}

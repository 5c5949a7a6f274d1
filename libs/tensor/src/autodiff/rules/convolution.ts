import type { ConvolutionParams, Windows } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { unfold } from '../../library/convolution.ts';
import { matmul } from '../../library/linalg.ts';
import { pad, reshape } from '../../library/movement.ts';
import { sum } from '../../library/reduction.ts';
import type { GradientRules } from '../rule.ts';

export const convolutionGradients: GradientRules<keyof ConvolutionParams> = {
  conv: (y, dy) => {
    const [x, weight, bias] = y.inputs as [Tensor, Tensor, Tensor | undefined];
    const dx = y.graph.node('convTranspose', [dy, weight], { ...y.params, size: x.shape.slice(2) });
    const dw = byWeight(x, weight, dy, y.params);
    return bias ? [dx, dw, sum(dy, { axes: [0, ...y.params.strides.map((_stride, i) => i + 2)] })] : [dx, dw];
  },
  // x = Cᵀ y, so dy = C dx; the weight stands between the two as in `conv`
  convTranspose: (x, dx) => {
    const [y, weight] = x.inputs as [Tensor, Tensor];
    const { strides, dilations, before, after, groups } = x.params;
    const dy = x.graph.node('conv', [dx, weight], { strides, dilations, before, after, groups });
    return [dy, byWeight(dx, weight, y, x.params)];
  },
};

/** dw[o, c, tap] = Σ_n,p dy[n, o, p] x[n, c, place of the tap in window p]: a matrix product over the unfolded windows. */
function byWeight(
  x: Tensor,
  weight: Tensor,
  dy: Tensor,
  { strides, dilations, before, after, groups }: Windows & { readonly groups: number },
): Tensor {
  const [batch, filters, ...places] = dy.shape as [number, number, ...number[]];
  const [, perGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  const isPadded = [...before, ...after].some((n) => n > 0);
  const padded = isPadded ? pad(x, [0, 0, ...before], [0, 0, ...after]) : x;
  const unfolded = unfold(padded, { kernel, strides, dilations, places });
  const count = places.reduce((a, b) => a * b, 1);
  const columns = reshape(unfolded, [batch, groups, perGroup * kernel.reduce((a, b) => a * b, 1), count]);
  const rows = reshape(dy, [batch, groups, filters / groups, count]);
  return reshape(sum(matmul(rows, columns, { transposeB: true }), { axes: 0 }), weight.shape);
}

import type { ConvolutionParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { spreadWindows } from '../../library/convolution.ts';
import { reshape, slice, transpose } from '../../library/movement.ts';
import { sum } from '../../library/reduction.ts';
import type { GradientRules } from '../rule.ts';

export const convolutionGradients: GradientRules<keyof ConvolutionParams> = {
  conv: (y, dy) => {
    const [x, weight, bias] = y.inputs as [Tensor, Tensor, Tensor | undefined];
    const spatial = y.params.strides.map((_stride, i) => i + 2);
    const dx = spreadWindows(dy, weight, y.params, x.shape.slice(2));
    const dw = byWeight(x, weight, y, dy);
    return bias ? [dx, dw, sum(dy, { axes: [0, ...spatial] })] : [dx, dw];
  },
};

/**
 * dw[o, c, k] = Σ_n,p dy[n, o, p] x[n, c, s p + d k]: a convolution over the batch in which channels and batch change
 * places, and so do strides s and dilations d.
 */
function byWeight(x: Tensor, weight: Tensor, y: Tensor<'conv'>, dy: Tensor): Tensor {
  const { strides, dilations, before, after, groups } = y.params;
  const [batch, channels, ...size] = x.shape as [number, number, ...number[]];
  const [filters, perGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  const rest = size.map((_n, i) => i + 3);
  // [n, g, c, ...] → [c, g n, ...] and [n, g, o, ...] → [g o, n, ...]
  const inputs = reshape(transpose(reshape(x, [batch, groups, channels / groups, ...size]), [2, 1, 0, ...rest]), [
    perGroup,
    groups * batch,
    ...size,
  ]);
  const filter = transpose(dy, [1, 0, ...size.map((_n, i) => i + 2)]);
  const params = { strides: dilations, dilations: strides, before, after, groups };
  const found = dy.graph.node('conv', [inputs, filter], params);
  const cropped = slice(found, [undefined, undefined, ...kernel.map((taps) => ({ end: taps }))]);
  return reshape(transpose(cropped, [1, 0, ...size.map((_n, i) => i + 2)]), [filters, perGroup, ...kernel]);
}

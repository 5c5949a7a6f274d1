import { add, div, mul, pow, sqrt, square, sub, type Tensor } from '@crucible/tensor';

export interface AdamWOptions {
  /** Decay of the first moment. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment. Default: 0.95. */
  readonly beta2?: number;
  /** Added to the root of the corrected second moment, as in PyTorch. Default: 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay, multiplied by the learning rate. Default: 0. */
  readonly weightDecay?: number;
}

export interface AdamWState {
  readonly first: Tensor;
  readonly second: Tensor;
}

export interface AdamWScalars {
  readonly rate: Tensor;
  /** Counted from 1. */
  readonly step: Tensor;
  /** What the gradient is multiplied by. Default: 1. */
  readonly factor?: Tensor;
}

/** One step of AdamW (Loshchilov & Hutter 2019) for one parameter; the scalars are floats. */
export function adamWStep(
  parameter: Tensor,
  gradient: Tensor,
  state: AdamWState,
  { rate, step, factor }: AdamWScalars,
  options: AdamWOptions = {},
): { parameter: Tensor; state: AdamWState } {
  const { beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0 } = options;
  const graph = parameter.graph;
  const given = factor ?? graph.scalar(1);
  // What is the same for all elements meets before it meets them: it costs no pass over the parameters of its own.
  const first = add(mul(state.first, beta1), mul(gradient, mul(given, 1 - beta1)));
  const second = add(mul(state.second, beta2), mul(square(gradient), mul(square(given), 1 - beta2)));
  const correction1 = sub(1, pow(graph.scalar(beta1), step));
  const root2 = sqrt(sub(1, pow(graph.scalar(beta2), step)));
  const scaledRate = div(mul(rate, root2), correction1);
  const update = mul(div(first, add(sqrt(second), mul(root2, epsilon))), scaledRate);
  const decayed = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(rate, weightDecay)));
  return { parameter: sub(decayed, update), state: { first, second } };
}

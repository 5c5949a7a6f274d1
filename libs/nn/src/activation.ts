import { gelu, geluTanh, relu, silu, type Tensor } from '@crucible/tensor';

/** Activations by the names that transformers gives them. */
const activations = {
  silu,
  swish: silu,
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_fast: geluTanh,
  relu,
} as const satisfies Record<string, (x: Tensor) => Tensor>;

export type ActivationName = keyof typeof activations;

export const activationNames = Object.keys(activations) as readonly ActivationName[];

export function activate(name: ActivationName, x: Tensor): Tensor {
  return activations[name](x);
}

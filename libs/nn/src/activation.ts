import { add, gelu, maximum, mul, silu, square, tanh, type Tensor } from '@crucible/tensor';

/** Activations by the names that transformers gives them. */
const activations = {
  silu,
  swish: silu,
  gelu,
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  gelu_fast: tanhGelu,
  relu: (x: Tensor): Tensor => maximum(x, 0),
} as const satisfies Record<string, (x: Tensor) => Tensor>;

export type ActivationName = keyof typeof activations;

export const activationNames = Object.keys(activations) as readonly ActivationName[];

export function activate(name: ActivationName, x: Tensor): Tensor {
  return activations[name](x);
}

/** x Φ(x) with Φ by tanh (Hendrycks & Gimpel 2016): x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2. */
function tanhGelu(x: Tensor): Tensor {
  const inner = mul(x, add(mul(square(x), 0.044715 * Math.sqrt(2 / Math.PI)), Math.sqrt(2 / Math.PI)));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

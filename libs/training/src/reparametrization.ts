/**
 * Virtual tokens that are learned through a small network, as P-tuning (Liu et al. 2021, an LSTM and an MLP) and prefix
 * tuning (Li & Liang 2021, an MLP) have it: one step then moves all of them together. Only what the network makes of them is
 * kept; the network itself is dropped when training is done, as PEFT drops it.
 *
 * Departure from the literature: the network's result is added to the virtual tokens (Razdaibiedina et al. 2023), and begins at
 * zero, so that they begin as what they were to begin as.
 */
import { invalidInput, type Random } from '@crucible/foundation';
import type { ModelWeights, ParameterTree } from '@crucible/nn';
import {
  add,
  compile,
  concat,
  floats,
  matmul,
  mul,
  type NdArray,
  relu,
  sigmoid,
  sliceAxis,
  sizeOf,
  tanh,
  type Tensor,
  zerosArray,
} from '@crucible/tensor';

export const reparametrizations = ['none', 'mlp', 'lstm'] as const;

export interface ReparametrizationSettings {
  /** `mlp`: two layers, for each virtual token by itself; `lstm`: two layers that read all of them both ways, and an MLP. */
  readonly kind: Exclude<(typeof reparametrizations)[number], 'none'>;
  /** Inner width of the network. */
  readonly width: number;
}

export interface Reparametrization {
  /** What is learned: the virtual tokens [n, size] and the network. */
  readonly parameters: ModelWeights;
  /** The virtual tokens that the model reads [n, size]. */
  readonly apply: (learned: ParameterTree<Tensor>) => Tensor;
}

/** An LSTM is written into the graph token by token. */
const longestLstm = 64;

interface Direction<Leaf> {
  /** Gates of input, forgetting, candidate and output, one below the other: [4 · width, inputs], [4 · width, width], [4 · width]. */
  readonly input: Leaf;
  readonly hidden: Leaf;
  readonly bias: Leaf;
}

interface Network<Leaf> {
  readonly tokens: Leaf;
  readonly lstm?: readonly { readonly forward: Direction<Leaf>; readonly backward: Direction<Leaf> }[];
  readonly first: { readonly weight: Leaf; readonly bias: Leaf };
  readonly second: { readonly weight: Leaf; readonly bias: Leaf };
}

/** `tokens` [n, size] is what the virtual tokens begin as. */
export function createReparametrization(
  tokens: NdArray,
  { kind, width }: ReparametrizationSettings,
  random: Random,
): Reparametrization {
  const [count, size] = tokens.shape as [number, number];
  if (kind === 'lstm' && count > longestLstm) {
    throw invalidInput(
      `tokens: an LSTM reads up to ${longestLstm} virtual tokens, and not ${count}; mlp reads any number`,
      {
        at: 'tokens',
      },
    );
  }
  const matrix = (out: number, inputs: number): NdArray =>
    floats(
      [out, inputs],
      Float32Array.from({ length: sizeOf([out, inputs]) }, () => random.normal() / Math.sqrt(inputs)),
    );
  const zeros = (...shape: number[]): NdArray => zerosArray('float32', shape);
  const direction = (inputs: number): Direction<NdArray> => ({
    input: matrix(4 * width, inputs),
    hidden: matrix(4 * width, width),
    bias: zeros(4 * width),
  });
  const layer = (inputs: number) => ({ forward: direction(inputs), backward: direction(inputs) });
  const network: Network<NdArray> = {
    tokens,
    ...(kind === 'lstm' && { lstm: [layer(size), layer(2 * width)] }),
    first: { weight: matrix(width, kind === 'lstm' ? 2 * width : size), bias: zeros(width) },
    second: { weight: zeros(size, width), bias: zeros(size) },
  };
  return {
    parameters: network as unknown as ModelWeights,
    apply: (learned) => {
      const { tokens: own, lstm = [], first, second } = learned as unknown as Network<Tensor>;
      const read = lstm.reduce((states, { forward, backward }) => bothWays(states, forward, backward), own);
      const inner = affine(read, first);
      // Both as in the papers: P-tuning's MLP is rectified, prefix tuning's is not.
      return add(own, affine(lstm.length > 0 ? relu(inner) : tanh(inner), second));
    },
  };
}

/** The virtual tokens that were learned, as an array. */
export async function foldReparametrization({ apply }: Reparametrization, learned: ModelWeights): Promise<NdArray> {
  const program = await compile({ learned }, (given) => ({ tokens: apply(given.learned) }), { name: 'virtual tokens' });
  try {
    return (await program.run({ learned })).tokens;
  } finally {
    await program.dispose();
  }
}

function affine(x: Tensor, { weight, bias }: { readonly weight: Tensor; readonly bias: Tensor }): Tensor {
  return add(matmul(x, weight, { transposeB: true }), bias);
}

/** States of a layer that reads [n, inputs] from both ends: [n, 2 · width]. */
function bothWays(inputs: Tensor, forward: Direction<Tensor>, backward: Direction<Tensor>): Tensor {
  const count = inputs.shape[0]!;
  const order = Array.from({ length: count }, (_, i) => i);
  const onwards = lstmStates(inputs, forward, order);
  const back = lstmStates(inputs, backward, order.toReversed());
  return concat(
    order.map((i) => concat([onwards[i]!, back[i]!], 1)),
    0,
  );
}

/** The state [1, width] at each place, in the order of the places; `order` is that of reading. */
function lstmStates(inputs: Tensor, { input, hidden, bias }: Direction<Tensor>, order: readonly number[]): Tensor[] {
  const width = hidden.shape[1]!;
  const given = add(matmul(inputs, input, { transposeB: true }), bias);
  const states = new Array<Tensor>(order.length);
  let state: Tensor | undefined;
  let cell: Tensor | undefined;
  for (const place of order) {
    const own = sliceAxis(given, 0, place, place + 1);
    const gates: Tensor = state ? add(own, matmul(state, hidden, { transposeB: true })) : own;
    const gate = (n: number): Tensor => sliceAxis(gates, 1, n * width, (n + 1) * width);
    const taken = mul(sigmoid(gate(0)), tanh(gate(2)));
    cell = cell ? add(mul(sigmoid(gate(1)), cell), taken) : taken;
    state = mul(sigmoid(gate(3)), tanh(cell));
    states[place] = state;
  }
  return states;
}

import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { flatten, floats, isNdArray, type NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { createReparametrization, foldReparametrization } from './reparametrization.ts';

const random = Random.seeded(3);
const normal = (...shape: number[]): NdArray =>
  floats(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );
const tokens = normal(4, 6);

/** The network with numbers everywhere, zeros too: by path. */
function filled(parameters: object): { tree: never; at: (path: string) => number[][] } {
  const arrays = new Map<string, NdArray>();
  for (const { path, leaf } of flatten(parameters, isNdArray)) {
    (leaf.data as Float32Array).forEach((value, i) => {
      if (value === 0) leaf.data[i] = 0.3 * random.normal();
    });
    arrays.set(path, leaf);
  }
  const at = (path: string): number[][] => {
    const { shape, data } = arrays.get(path)!;
    const [rows, columns] = shape.length === 1 ? [1, shape[0]!] : (shape as [number, number]);
    return Array.from({ length: rows }, (_, r) => Array.from(data.subarray(r * columns, (r + 1) * columns)));
  };
  return { tree: parameters as never, at };
}

const times = (matrix: number[][], x: number[]): number[] =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * x[i]!, 0));
const plus = (a: number[], b: number[]): number[] => a.map((value, i) => value + b[i]!);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe.each(['mlp', 'lstm'] as const)('virtual tokens through an %s', (kind) => {
  it('begin as what they are to begin as', async () => {
    const network = createReparametrization(tokens, { kind, width: 5 }, Random.seeded(1));
    expect((await foldReparametrization(network, network.parameters)).data).toBeAllClose(tokens.data, { atol: 1e-6 });
  });

  it('are what the network makes of them, worked out by hand', async () => {
    const width = 5;
    const network = createReparametrization(tokens, { kind, width }, Random.seeded(1));
    const { tree, at } = filled(network.parameters);
    const read = (inputs: number[][], path: string, backwards: boolean): number[][] => {
      const order = backwards ? [3, 2, 1, 0] : [0, 1, 2, 3];
      let [state, cell] = [new Array<number>(width).fill(0), new Array<number>(width).fill(0)];
      const states: number[][] = [];
      for (const place of order) {
        const gates = plus(
          plus(times(at(`${path}.input`), inputs[place]!), times(at(`${path}.hidden`), state)),
          at(`${path}.bias`)[0]!,
        );
        const gate = (n: number): number[] => gates.slice(n * width, (n + 1) * width);
        cell = cell.map((value, i) => sigmoid(gate(1)[i]!) * value + sigmoid(gate(0)[i]!) * Math.tanh(gate(2)[i]!));
        state = cell.map((value, i) => sigmoid(gate(3)[i]!) * Math.tanh(value));
        states[place] = state;
      }
      return states;
    };
    const own = at('tokens');
    let seen = own;
    for (const layer of kind === 'lstm' ? [0, 1] : []) {
      const [onwards, back] = [false, true].map((backwards) =>
        read(seen, `lstm.${layer}.${backwards ? 'backward' : 'forward'}`, backwards),
      ) as [number[][], number[][]];
      seen = onwards.map((state, i) => [...state, ...back[i]!]);
    }
    const expected = seen.map((x, i) => {
      const inner = plus(times(at('first.weight'), x), at('first.bias')[0]!);
      const bent = inner.map((value) => (kind === 'lstm' ? Math.max(0, value) : Math.tanh(value)));
      return plus(own[i]!, plus(times(at('second.weight'), bent), at('second.bias')[0]!));
    });
    const { data, shape } = await foldReparametrization(network, tree);
    expect(shape).toEqual([4, 6]);
    expect(data).toBeAllClose(Float32Array.from(expected.flat()), { atol: 1e-5, rtol: 1e-5 });
  });
});

it('an LSTM refuses more virtual tokens than its graph is written for', () => {
  expect(() => createReparametrization(normal(65, 2), { kind: 'lstm', width: 2 }, random)).toThrow(
    'tokens: an LSTM reads up to 64 virtual tokens, and not 65; mlp reads any number',
  );
});

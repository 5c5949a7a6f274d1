import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { type FloatArray, floats, isNdArray, mapTree, type NdArray, ndArray, zerosArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { countParameters, createOptimizer, type OptimizerOptions } from './optimizer.ts';
import { advance } from './testing/advance.ts';
import { normalArray } from './testing/normal-array.ts';
import { iteratedSingularValues } from './testing/singular-values.ts';

interface Model {
  readonly embed: { readonly weight: FloatArray };
  readonly layers: readonly { readonly matrix: FloatArray; readonly norm: FloatArray }[];
}

function modelOf(fill: (shape: readonly number[]) => FloatArray): Model {
  const layer = (): Model['layers'][number] => ({ matrix: fill([2, 3]), norm: fill([3]) });
  return { embed: { weight: fill([4, 2]) }, layers: [layer(), layer()] };
}

const constant =
  (value: number) =>
  (shape: readonly number[]): FloatArray =>
    floats(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value));

const inLayers = (path: string, shape: readonly number[]): boolean => path.startsWith('layers.') && shape.length === 2;

/** All parameters 1 after one step on the given gradients at rate 0.1, unclipped. */
async function afterOneStep(options: OptimizerOptions, gradients: Model): Promise<Model> {
  const optimizer = createOptimizer({ clipNorm: Infinity, ...options });
  const start = modelOf(constant(1));
  const { parameters } = await advance(optimizer, { parameters: start, state: optimizer.init(start) }, [
    { gradients, rate: 0.1 },
  ]);
  return parameters as Model;
}

describe('createOptimizer', () => {
  it('keeps two moments of every parameter, and the momentum alone of those that Muon trains', () => {
    const zeros = (shape: number[]): NdArray => zerosArray('float32', shape);
    const adamW = (shape: number[]): object => ({ first: zeros(shape), second: zeros(shape) });
    expect(createOptimizer({ useMuon: inLayers }).init(modelOf(constant(1)))).toEqual({
      'embed.weight': adamW([4, 2]),
      'layers.0.matrix': { momentum: zeros([2, 3]) },
      'layers.0.norm': adamW([3]),
      'layers.1.matrix': { momentum: zeros([2, 3]) },
      'layers.1.norm': adamW([3]),
    });
  });

  it('moves each parameter by its own rule', async () => {
    const gradients = modelOf(constant(0.5));
    const moved = await afterOneStep({ useMuon: inLayers }, gradients);
    // AdamW's first step has the size of the rate. A constant matrix has one singular value: √6 · value.
    const [singular] = iteratedSingularValues([1]);
    const muon = 1 - (0.1 * 0.2 * Math.sqrt(3) * singular!) / Math.sqrt(6);
    expect(moved.embed.weight.data).toBeAllClose(new Float32Array(8).fill(0.9));
    for (const { matrix, norm } of moved.layers) {
      expect(matrix.data).toBeAllClose(new Float32Array(6).fill(muon));
      expect(norm.data).toBeAllClose(new Float32Array(3).fill(0.9));
    }
  });

  it('decays matrices, not vectors, in both rules', async () => {
    const decayed = await afterOneStep(
      { useMuon: inLayers, adamW: { weightDecay: 0.5 }, muon: { weightDecay: 0.2 } },
      modelOf(constant(0)),
    );
    expect(decayed.embed.weight.data).toBeAllClose(new Float32Array(8).fill(0.95));
    for (const { matrix, norm } of decayed.layers) {
      expect(matrix.data).toBeAllClose(new Float32Array(6).fill(0.98));
      expect(norm.data).toEqual(new Float32Array(3).fill(1));
    }
  });

  it('decays what it is told to', async () => {
    const decayed = await afterOneStep(
      { adamW: { weightDecay: 0.5 }, decays: (path) => path === 'layers.1.norm' },
      modelOf(constant(0)),
    );
    expect(decayed.embed.weight.data).toEqual(new Float32Array(8).fill(1));
    expect(decayed.layers[0]!.norm.data).toEqual(new Float32Array(3).fill(1));
    expect(decayed.layers[1]!.norm.data).toBeAllClose(new Float32Array(3).fill(0.95));
  });

  it('multiplies the rate of a parameter, its decay included, by its factor', async () => {
    const given = {
      useMuon: inLayers,
      adamW: { weightDecay: 0.5 },
      muon: { weightDecay: 0.5 },
      rateFactor: (path: string) => (path === 'embed.weight' ? 3 : path === 'layers.0.matrix' ? 2 : 1),
    };
    const factored = await afterOneStep(given, modelOf(constant(0.5)));
    const plain = await afterOneStep({ ...given, rateFactor: () => 1 }, modelOf(constant(0.5)));
    const distance = (array: FloatArray): number => 1 - array.data[0]!;
    expect(distance(factored.embed.weight)).toBeAllClose(3 * distance(plain.embed.weight), { rtol: 1e-4 });
    expect(distance(factored.layers[0]!.matrix)).toBeAllClose(2 * distance(plain.layers[0]!.matrix), { rtol: 1e-4 });
    expect(factored.layers[1]).toEqual(plain.layers[1]);
    expect(factored.layers[0]!.norm).toEqual(plain.layers[0]!.norm);
  });

  it('clips all gradients together, at 1 by default, and tells the norm before', async () => {
    const gradients = modelOf(constant(2));
    const norm = Math.sqrt(4 * countParameters(gradients));
    const optimizer = createOptimizer();
    const start = modelOf(constant(0));
    const once = await advance(optimizer, { parameters: start, state: optimizer.init(start) }, [
      { gradients, rate: 0.1 },
    ]);
    expect(once.norm).toBeAllClose(norm);
    const { first, second } = once.state['layers.1.norm'] as { first: NdArray; second: NdArray };
    expect(first.data).toBeAllClose(new Float32Array(3).fill(0.1 * (2 / norm)));
    expect(second.data).toBeAllClose(new Float32Array(3).fill(0.05 * (2 / norm) ** 2));
  });

  it.each([
    ['as it is', (state: object) => state],
    ['as a tree that is nested along the paths, as a checkpoint gives it back', nestAlongPaths],
  ])('goes on exactly from a state that is given %s', async (_name, restore) => {
    const random = Random.seeded(5);
    const optimizer = createOptimizer({
      useMuon: inLayers,
      adamW: { weightDecay: 0.1 },
      muon: { weightDecay: 0.1 },
    });
    const steps = Array.from({ length: 5 }, (_, i) => ({
      gradients: modelOf((shape) => normalArray(shape, random)),
      rate: 0.1 / (i + 1),
    }));
    const parameters = modelOf((shape) => normalArray(shape, random));
    const start = { parameters, state: optimizer.init(parameters) };
    const straight = await advance(optimizer, start, steps);
    const half = await advance(optimizer, start, steps.slice(0, 2));
    const copied = mapTree(half.state, isNdArray, (leaf) =>
      ndArray('float32', leaf.shape, Float32Array.from(leaf.data)),
    );
    const resumed = { parameters: half.parameters, state: restore(copied as object) as typeof half.state };
    expect(await advance(optimizer, resumed, steps.slice(2), 2)).toEqual(straight);
  });

  it('gives a parameter the same numbers whether others are joined to it or not', async () => {
    const random = Random.seeded(6);
    const parameters = modelOf((shape) => normalArray(shape, random));
    const steps = [{ gradients: modelOf((shape) => normalArray(shape, random)), rate: 0.1 }];
    const after = async (rateFactor: (path: string) => number) => {
      const optimizer = createOptimizer({ clipNorm: Infinity, adamW: { weightDecay: 0.1 }, rateFactor });
      const { parameters: next, state } = await advance(
        optimizer,
        { parameters, state: optimizer.init(parameters) },
        steps,
      );
      return { norm: (next as typeof parameters).layers[1]!.norm, state };
    };
    const together = await after(() => 1);
    // Another rate for all the others: this parameter is then on its own
    const alone = await after((path) => (path === 'layers.1.norm' ? 1 : 2));
    expect(together).toEqual(alone);
  });

  it('says which parameter a state lacks', async () => {
    const optimizer = createOptimizer();
    const parameters = modelOf(constant(1));
    const complete = Object.entries(optimizer.init(parameters));
    const state = Object.fromEntries(complete.filter(([path]) => path !== 'layers.0.norm'));
    await expect(advance(optimizer, { parameters, state }, [])).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'optimizer: the state has nothing for layers.0.norm',
    });
  });
});

/** `{'a.b': leaf}` as `{a: {b: leaf}}`. */
function nestAlongPaths(state: object): object {
  const root: Record<string, unknown> = {};
  for (const [path, moments] of Object.entries(state)) {
    const keys = path.split('.');
    const last = keys.pop()!;
    const branch = keys.reduce((at, key) => (at[key] ??= {}) as Record<string, unknown>, root);
    branch[last] = moments;
  }
  return root;
}

describe('countParameters', () => {
  it('counts the values of all leaves', () => {
    expect(countParameters(modelOf(constant(0)))).toBe(8 + 2 * (6 + 3));
    expect(countParameters({ scalar: floats([], [1]) })).toBe(1);
  });
});

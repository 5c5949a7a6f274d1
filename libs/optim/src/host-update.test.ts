import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { type FloatArray, flatten, floats, isNdArray, mapTree, type NdArray, scalar } from '@crucible/tensor';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HostUpdate } from './host-update.ts';
import { createOptimizer, type Optimizer } from './optimizer.ts';
import { partedOptimizer } from './parted.ts';
import { advance } from './testing/advance.ts';
import { normalArray } from './testing/normal-array.ts';

const random = Random.seeded(3);

/** Vectors of odd sizes, matrices, one that takes more than a block, and one for Muon. */
function modelOf(fill: (shape: readonly number[]) => FloatArray) {
  return {
    embed: { weight: fill([1300, 501]) },
    layers: [3, 17].map((width) => ({ matrix: fill([width, 40]), norm: fill([width]), inner: fill([8, 6]) })),
  };
}

const options = {
  adamW: { weightDecay: 0.1 },
  muon: { weightDecay: 0.2 },
  useMuon: (path: string) => path.endsWith('inner'),
  rateFactor: (path: string) => (path === 'layers.1.matrix' ? 3 : 1),
};

function valuesAt(tree: object): Record<string, Float32Array> {
  return Object.fromEntries(flatten(tree, isNdArray).map(({ path, leaf }) => [path, leaf.data as Float32Array]));
}

function fillGradients(update: HostUpdate, gradients: object): void {
  const given = new Map(flatten(gradients, isNdArray).map(({ path, leaf }) => [path, leaf.data as Float32Array]));
  for (const { path, leaf } of flatten(update.gradients, isNdArray)) leaf.data.set(given.get(path)!);
}

function updateOf(optimizer: Optimizer, parameters: object, state = optimizer.init(parameters)): HostUpdate {
  const update = new HostUpdate(optimizer, parameters, state, { threads: 1 });
  onTestFinished(() => update.dispose());
  return update;
}

describe('an update on the host', () => {
  it.each([1, Infinity])('does what the optimizer does in a program, clipped at %d', async (clipNorm) => {
    const optimizer = createOptimizer({ ...options, clipNorm });
    const parameters = modelOf((shape) => normalArray(shape, random));
    const steps = [0.1, 0.02, 0.03].map((rate) => ({
      gradients: modelOf((shape) => normalArray(shape, random)),
      rate,
    }));
    const start = { parameters, state: optimizer.init(parameters) };
    const update = updateOf(optimizer, parameters);
    for (const [i, { gradients, rate }] of steps.entries()) {
      fillGradients(update, gradients);
      const norm = Math.hypot(...flatten(gradients, isNdArray).map(({ leaf }) => normOf(leaf)));
      await update.apply({ rate: scalar(rate), step: scalar(i + 1), norm: scalar(norm) });
    }
    const { parameters: expected, state } = await advance(optimizer, start, steps);
    const [wanted, found] = [{ parameters: expected, state }, update].map((each) =>
      valuesAt({ parameters: each.parameters, state: each.state }),
    ) as [ReturnType<typeof valuesAt>, ReturnType<typeof valuesAt>];
    expect(Object.keys(found)).toEqual(Object.keys(wanted));
    for (const [path, values] of Object.entries(found))
      expect(values, path).toBeAllClose(wanted[path]!, { rtol: 1e-5, atol: 1e-6 });
  });

  it('updates as wholes what has no rule for elements', async () => {
    const optimizer = partedOptimizer(createOptimizer({ clipNorm: 0.5, adamW: { weightDecay: 0.1 } }));
    const part = () => ({ a: normalArray([3, 2], random), b: [{ c: normalArray([4], random) }] });
    const parameters = { one: part(), two: part() };
    const steps = [0.1, 0.2].map((rate) => ({ gradients: { one: part(), two: part() }, rate }));
    const update = updateOf(optimizer, parameters);
    for (const [i, { gradients, rate }] of steps.entries()) {
      fillGradients(update, gradients);
      await update.apply({ rate: scalar(rate), step: scalar(i + 1), norm: scalar(1) });
    }
    const expected = await advance(optimizer, { parameters, state: optimizer.init(parameters) }, steps);
    const wanted = valuesAt(expected.parameters);
    for (const [path, values] of Object.entries(valuesAt(update.parameters)))
      expect(values, path).toBeAllClose(wanted[path]!, { rtol: 1e-5, atol: 1e-6 });
  });

  it('multiplies the gradients by a factor before all else', async () => {
    const optimizer = createOptimizer(options);
    const parameters = modelOf((shape) => normalArray(shape, random));
    const gradients = modelOf((shape) => normalArray(shape, random));
    const doubled = mapTree(gradients, isNdArray, ({ shape, data }) =>
      floats(
        shape,
        Array.from(data, (x) => 2 * x),
      ),
    );
    const [plain, factored] = [updateOf(optimizer, parameters), updateOf(optimizer, parameters)];
    const scalars = { rate: scalar(0.1), step: scalar(1), norm: scalar(50) };
    fillGradients(plain, doubled as object);
    fillGradients(factored, gradients);
    await plain.apply(scalars);
    await factored.apply({ ...scalars, factor: scalar(2) });
    for (const [path, values] of Object.entries(valuesAt(factored.state)))
      expect(values, path).toBeAllClose(valuesAt(plain.state)[path]!, { rtol: 1e-5, atol: 1e-9 });
    expect(valuesAt(factored.parameters)['embed.weight']).toBeAllClose(valuesAt(plain.parameters)['embed.weight']!, {
      atol: 1e-5,
    });
  });

  it('writes over its own arrays alone', async () => {
    const optimizer = createOptimizer();
    const parameters = modelOf((shape) => normalArray(shape, random));
    const state = optimizer.init(parameters);
    const before = structuredClone([valuesAt(parameters), valuesAt(state)]);
    const update = updateOf(optimizer, parameters, state);
    const { weight } = (update.parameters as typeof parameters).embed;
    fillGradients(update, parameters);
    await update.apply({ rate: scalar(0.1), step: scalar(1), norm: scalar(1) });
    expect([valuesAt(parameters), valuesAt(state)]).toEqual(before);
    expect((update.parameters as typeof parameters).embed.weight).toBe(weight);
    expect(weight.data[0]).not.toBe(parameters.embed.weight.data[0]);
  });

  it('says which parameter a state lacks', () => {
    const optimizer = createOptimizer();
    const parameters = modelOf((shape) => normalArray(shape, random));
    const complete = Object.entries(optimizer.init(parameters));
    const state = Object.fromEntries(complete.filter(([path]) => path !== 'layers.0.norm'));
    expect(() => new HostUpdate(optimizer, parameters, state)).toThrow(
      'optimizer: the state has nothing for layers.0.norm',
    );
  });
});

function normOf({ data }: NdArray): number {
  return Math.sqrt((data as Float32Array).reduce((sum, value) => sum + value ** 2, 0));
}

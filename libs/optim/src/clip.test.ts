import '@crucible/testing';
import { compile, floats, itemOf, scalar } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { clipFactor, globalNorm } from './clip.ts';

// Of norm √(9 + 16 + 144) = 13, over all leaves together.
const gradients = { body: [{ w: floats([1, 2], [3, -4]) }, { w: floats([2], [0, 12]) }], scale: floats([], [0]) };

describe('globalNorm', () => {
  it('is the Euclidean norm over all leaves together', async () => {
    const program = await compile({ gradients }, (inputs) => ({ norm: globalNorm(inputs.gradients) }));
    expect(itemOf((await program.run({ gradients })).norm)).toBeAllClose(13);
    await program.dispose();
  });
});

describe('clipFactor', () => {
  it.each([
    ['brings a norm to the largest', 13, 1, 1 / 13],
    ['leaves alone what is below it', 13, 13.01, 1],
    ['leaves alone all where there is no largest', 1e30, Infinity, 1],
    ['leaves zeros zero', 0, 1, 1],
  ])('%s', async (_what, given, largest, expected) => {
    const program = await compile({ norm: scalar(given) }, ({ norm }) => ({ factor: clipFactor(norm, largest) }));
    expect(itemOf((await program.run({ norm: scalar(given) })).factor)).toBeAllClose(expected);
    await program.dispose();
  });
});

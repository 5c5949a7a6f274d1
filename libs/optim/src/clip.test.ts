import '@crucible/testing';
import { compile, floats, itemOf } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { clipByGlobalNorm, globalNorm } from './clip.ts';

// Of norm √(9 + 16 + 144) = 13, over all leaves together.
const gradients = { body: [{ w: floats([1, 2], [3, -4]) }, { w: floats([2], [0, 12]) }], scale: floats([], [0]) };

async function clip(largest: number, given = gradients): Promise<{ clipped: typeof gradients; norm: number }> {
  const program = await compile({ given }, (inputs) => clipByGlobalNorm(inputs.given, largest));
  const { clipped, norm } = await program.run({ given });
  await program.dispose();
  return { clipped: clipped as typeof gradients, norm: itemOf(norm) };
}

describe('globalNorm', () => {
  it('is the Euclidean norm over all leaves together', async () => {
    const program = await compile({ gradients }, (inputs) => ({ norm: globalNorm(inputs.gradients) }));
    expect(itemOf((await program.run({ gradients })).norm)).toBeAllClose(13);
    await program.dispose();
  });
});

describe('clipByGlobalNorm', () => {
  it('scales every gradient by the same factor, to the largest norm', async () => {
    const { clipped, norm } = await clip(1);
    expect(norm).toBeAllClose(13);
    expect(clipped.body[0]!.w.data).toBeAllClose([3 / 13, -4 / 13]);
    expect(clipped.body[1]!.w.data).toBeAllClose([0, 12 / 13]);
  });

  it.each([13.01, 1e6, Infinity])('leaves gradients alone whose norm is below %d', async (largest) => {
    const { clipped, norm } = await clip(largest);
    expect(norm).toBeAllClose(13);
    expect(clipped).toEqual(gradients);
  });

  it('leaves zeros zero', async () => {
    const zeros = { body: [{ w: floats([1, 2], [0, 0]) }, { w: floats([2], [0, 0]) }], scale: floats([], [0]) };
    expect(await clip(1, zeros)).toEqual({ clipped: zeros, norm: 0 });
  });
});

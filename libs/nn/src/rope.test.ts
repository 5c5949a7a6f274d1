import '@crucible/testing';
import { compile, ints } from '@crucible/tensor';
import { expect, it } from 'vitest';
import { ropeFrequencies, rotationAt } from './rope.ts';

const base = { size: 8, theta: 10_000 };

it('gives pair i the frequency theta^(-2i/size)', () => {
  expect(ropeFrequencies(base)).toEqual({
    frequencies: [1, 0.1, 0.01, 0.001].map((x) => expect.closeTo(x, 12) as number),
    amplitude: 1,
  });
});

it('divides all of them by the factor when scaled linearly, and leaves them within the context when dynamically', () => {
  const [plain] = [ropeFrequencies(base).frequencies];
  const scaled = (type: 'linear' | 'dynamic'): number[] =>
    ropeFrequencies({ ...base, scaling: { type, factor: 4 } }).frequencies;
  expect(scaled('linear')).toBeAllClose(plain.map((x) => x / 4));
  expect(scaled('dynamic')).toEqual(plain);
});

it('leaves short waves, divides long ones, and goes over between them as Llama 3.1 does', () => {
  // Numbers of Llama 3.2 with heads of 64; expected values from transformers 5.24, to seven figures.
  const { frequencies } = ropeFrequencies({
    size: 64,
    theta: 500_000,
    scaling: { type: 'llama3', factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxPositions: 8192 },
  });
  expect([0, 10, 14, 15, 16, 20, 31].map((i) => frequencies[i]!)).toBeAllClose(
    [1.0, 0.016560441, 0.0032114461, 0.001290548, 0.00042955671, 8.5702559e-6, 9.4183065e-8],
    { rtol: 1e-6, atol: 0 },
  );
});

it('turns cosines and sines by the angles of the positions, with the amplitude of YaRN', async () => {
  const options = {
    ...base,
    scaling: {
      type: 'yarn',
      factor: 4,
      originalMaxPositions: 64,
      attentionFactor: 1.5,
      betaFast: 8,
      betaSlow: 1,
      truncate: true,
    } as const,
  };
  const positions = ints([1, 3], [0, 7, 200]);
  const program = await compile({ positions }, (given) => ({ ...rotationAt(given.positions, options) }));
  const { cos, sin, rows } = await program.run({ positions });
  await program.dispose();
  const { frequencies, amplitude } = ropeFrequencies(options);
  expect(amplitude).toBe(1.5);
  expect([...rows.data]).toEqual([0, 1, 2]);
  const angles = [0, 7, 200].flatMap((position) => frequencies.map((frequency) => position * frequency));
  expect(cos.data).toBeAllClose(
    angles.map((angle) => 1.5 * Math.cos(angle)),
    { atol: 1e-5 },
  );
  expect(sin.data).toBeAllClose(
    angles.map((angle) => 1.5 * Math.sin(angle)),
    { atol: 1e-5 },
  );
});

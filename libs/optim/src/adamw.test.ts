import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { compile, floats, scalar, zerosArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { adamWStep, type AdamWOptions } from './adamw.ts';
import { normalArray } from './testing/normal-array.ts';

/** Algorithm 2 of Loshchilov & Hutter 2019, for one number, in float64. */
function referenceAdamW(
  start: number,
  gradients: readonly number[],
  rates: readonly number[],
  { beta1, beta2, epsilon, weightDecay }: Required<AdamWOptions>,
): number {
  let [theta, m, v] = [start, 0, 0];
  gradients.forEach((g, i) => {
    const t = i + 1;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const mHat = m / (1 - beta1 ** t);
    const vHat = v / (1 - beta2 ** t);
    theta -= rates[i]! * (mHat / (Math.sqrt(vHat) + epsilon) + weightDecay * theta);
  });
  return theta;
}

async function runAdamW(
  start: Float32Array,
  gradients: readonly Float32Array[],
  rates: readonly number[],
  options?: AdamWOptions,
): Promise<Float32Array> {
  const like = floats([start.length], start);
  const zeros = zerosArray('float32', [start.length]);
  const program = await compile(
    { parameter: like, state: { first: zeros, second: zeros }, gradient: like, rate: scalar(0), step: scalar(0) },
    ({ parameter, gradient, state, rate, step }) => adamWStep(parameter, gradient, state, { rate, step }, options),
  );
  let current = { parameter: like, state: { first: zeros, second: zeros } };
  for (const [i, gradient] of gradients.entries()) {
    const inputs = { gradient: floats(like.shape, gradient), rate: scalar(rates[i]!), step: scalar(i + 1) };
    current = (await program.run({ ...current, ...inputs })) as typeof current;
  }
  await program.dispose();
  return current.parameter.data;
}

describe('adamWStep', () => {
  const random = Random.seeded(1);
  const start = normalArray([40], random).data;
  // Magnitudes from 1e-4 to 1e2, so that epsilon matters for some.
  const gradients = Array.from({ length: 7 }, () =>
    normalArray([40], random).data.map((value, i) => value * 10 ** ((i % 7) - 4)),
  );
  const rates = gradients.map((_, i) => 0.1 / (i + 1));

  it.each<[string, Required<AdamWOptions>]>([
    ['the usual settings', { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 }],
    ['weight decay', { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.3 }],
    ['an epsilon as large as the gradients', { beta1: 0.9, beta2: 0.95, epsilon: 1e-2, weightDecay: 0 }],
    ['other moments', { beta1: 0.5, beta2: 0.8, epsilon: 1e-8, weightDecay: 0.1 }],
    ['no momentum', { beta1: 0, beta2: 0.9, epsilon: 1e-8, weightDecay: 0 }],
  ])('follows the paper over seven steps with %s', async (_name, options) => {
    const expected = Array.from(start, (value, i) =>
      referenceAdamW(
        value,
        gradients.map((gradient) => gradient[i]!),
        rates,
        options,
      ),
    );
    expect(await runAdamW(start, gradients, rates, options)).toBeAllClose(expected, { atol: 3e-6, rtol: 1e-5 });
  });

  it('uses beta 0.9 and 0.95, epsilon 1e-8 and no decay by default', async () => {
    const defaults = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
    expect(await runAdamW(start, gradients, rates)).toEqual(await runAdamW(start, gradients, rates, defaults));
  });

  it('makes a first step of the size of the rate, whatever the size of the gradient', async () => {
    const parameter = await runAdamW(new Float32Array(3), [Float32Array.of(1e-3, -1, 1e4)], [0.01]);
    expect(parameter).toBeAllClose([-0.01, 0.01, -0.01], { rtol: 2e-5 });
  });

  it('decays where the gradient is zero, by rate times decay, and by that alone', async () => {
    const parameter = await runAdamW(Float32Array.of(2, -4), [new Float32Array(2)], [0.1], { weightDecay: 0.5 });
    expect(parameter).toBeAllClose([1.9, -3.8]);
  });
});

import { Random } from '@crucible/foundation';
import { floats, identityMatrix, ints, type Tensor } from '@crucible/tensor';
import '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { pairLoss, policyLoss, predictionLoss, valueLoss } from './losses.ts';
import { finiteDifferences, lossAndGradients } from './testing/gradients.ts';
import type { Batch, LossFunction } from './train-step.ts';

/** Loss, metrics and gradient of a function of one vector of numbers. */
async function lossOf(
  at: readonly number[],
  batch: Batch,
  loss: (x: Tensor, batch: Readonly<Record<string, Tensor>>) => ReturnType<LossFunction<object, Batch>>,
) {
  const { gradients, ...rest } = await lossAndGradients(
    { x: floats([at.length], at) },
    ({ x }, symbols) => loss(x, symbols),
    batch,
  );
  return { ...rest, gradient: gradients['x']! };
}

const numbers = (count: number, of: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => of(i));
const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const clampTo = (x: number, low: number, high: number): number => Math.max(low, Math.min(high, x));

/** Weights of a mean over five of six tokens; the last is padding. */
const weights = [0.2, 0.2, 0.2, 0.2, 0.2, 0];

describe('the clipped policy loss', () => {
  const clip = 0.2;
  const old = [-1, -2, -0.5, -1.5, -3, -1];
  // Ratios within the clip, above and below it, for advantages of both signs.
  const now = old.map((value, i) => value + [0.05, 0.5, -0.6, 0.4, -0.7, 3][i]!);
  const advantages = [1.5, 2, 1, -1, -2, 10];
  const batch = { old: floats([6], old), advantages: floats([6], advantages), weights: floats([6], weights) };

  function reference(logProbabilities: readonly number[]): number {
    return sumOf(
      logProbabilities.map((value, i) => {
        const ratio = Math.exp(value - old[i]!);
        const gain = Math.min(ratio * advantages[i]!, clampTo(ratio, 1 - clip, 1 + clip) * advantages[i]!);
        return -gain * weights[i]!;
      }),
    );
  }

  const run = (at: readonly number[]) =>
    lossOf(at, batch, (x, { old: before, advantages: own, weights: by }) => {
      const { loss, ...metrics } = policyLoss(x, { logProbabilities: before!, advantages: own!, weights: by! }, clip);
      return { loss, metrics };
    });

  it('is the pessimistic bound of equation 7, with its gradient', async () => {
    const { loss, gradient } = await run(now);
    expect(loss).toBeAllClose(reference(now));
    expect(gradient).toBeAllClose(finiteDifferences(reference, now), { atol: 1e-5, rtol: 1e-4 });
  });

  it('stops pushing where the ratio has left the clip on the good side, and never on the bad one', async () => {
    const { gradient } = await run(now);
    // Above 1.2 with A > 0; below 0.8 with A < 0; padding.
    expect([gradient[1]!, gradient[4]!, gradient[5]!].map(Math.abs)).toEqual([0, 0, 0]);
    expect([gradient[0], gradient[2], gradient[3]].every((value) => value !== 0)).toBe(true);
  });

  it('reports ratio, approximate KL and share of clipped tokens over real tokens', async () => {
    const { metrics } = await run(now);
    const moved = now.slice(0, 5).map((value, i) => value - old[i]!);
    expect(metrics['ratio']).toBeAllClose(sumOf(moved.map(Math.exp)) / 5);
    expect(metrics['approxKl']).toBeAllClose((0.5 * sumOf(moved.map((d) => d * d))) / 5);
    expect(metrics['clipFraction']).toBeAllClose(2 / 5);
  });

  it('has ratio 1, no KL and the mean advantage as gradient where nothing has moved', async () => {
    const { loss, gradient, metrics } = await run(old);
    expect(metrics).toEqual({ ratio: expect.closeTo(1, 6) as number, approxKl: 0, clipFraction: 0 });
    expect(loss).toBeAllClose(-sumOf(advantages.slice(0, 5)) / 5);
    expect(gradient).toBeAllClose(advantages.map((advantage, i) => -advantage * weights[i]!));
  });

  it('stays finite however far the policy has moved', async () => {
    const far = old.map((value, i) => value + (i % 2 === 0 ? 200 : -200));
    const { loss, gradient } = await run(far);
    expect(Number.isFinite(loss)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});

describe('the clipped value loss', () => {
  const clip = 0.2;
  const old = [0, 1, -1, 0.5, 2, 0];
  const now = [0.1, 1.5, -1.4, 0.5, 2.3, 7];
  const returns = [0.5, 1.1, -3, 0.4, 4, 0];
  const batch = { old: floats([6], old), returns: floats([6], returns), weights: floats([6], weights) };

  function reference(values: readonly number[]): number {
    return sumOf(
      values.map((value, i) => {
        const held = clampTo(value, old[i]! - clip, old[i]! + clip);
        return 0.5 * weights[i]! * Math.max((value - returns[i]!) ** 2, (held - returns[i]!) ** 2);
      }),
    );
  }

  it('is half the larger squared error, with its gradient', async () => {
    const { loss, gradient, metrics } = await lossOf(now, batch, (x, symbols) => {
      const before = { values: symbols['old']!, returns: symbols['returns']!, weights: symbols['weights']! };
      const { loss: own, ...rest } = valueLoss(x, before, clip);
      return { loss: own, metrics: rest };
    });
    expect(loss).toBeAllClose(reference(now));
    expect(gradient).toBeAllClose(finiteDifferences(reference, now), { atol: 1e-5, rtol: 1e-4 });
    expect(gradient[5]).toBe(0);
    // Of the five, those that have moved towards the return by more than the clip.
    expect(metrics['clipFraction']).toBeAllClose(2 / 5);
  });
});

describe('the Bradley–Terry loss', () => {
  const scores = [0.3, -1, 2, 40, -40];
  const better = [0, 2, 1, 3, 4, 0];
  const worse = [1, 0, 2, 4, 3, 0];
  const batch = { better: ints([6], better), worse: ints([6], worse), weights: floats([6], weights) };

  function reference(values: readonly number[]): number {
    return sumOf(better.map((b, i) => weights[i]! * Math.log1p(Math.exp(-(values[b]! - values[worse[i]!]!)))));
  }

  it('is -log σ of the margins, with its gradient, and counts the pairs in the right order', async () => {
    const { loss, gradient, metrics } = await lossOf(scores, batch, (x, symbols) => {
      const { loss: own, ...rest } = pairLoss(x, symbols['better']!, symbols['worse']!, symbols['weights']!);
      return { loss: own, metrics: rest };
    });
    expect(loss).toBeAllClose(reference(scores));
    expect(gradient).toBeAllClose(finiteDifferences(reference, scores), { atol: 1e-5, rtol: 1e-4 });
    expect(metrics['accuracy']).toBeAllClose(3 / 5);
    expect(metrics['margin']).toBeAllClose(0.2 * (1.3 + 1.7 - 3 + 80 - 80), { atol: 1e-5 });
  });

  it('is log 2 for equal scores', async () => {
    const { loss, metrics } = await lossOf([1, 1], { weights: floats([1], [1]) }, (x, symbols) => {
      const zero = x.graph.constant('int32', [1], Int32Array.of(0));
      const one = x.graph.constant('int32', [1], Int32Array.of(1));
      const { loss: own, ...rest } = pairLoss(x, zero, one, symbols['weights']!);
      return { loss: own, metrics: rest };
    });
    expect(loss).toBeAllClose(Math.log(2));
    expect(metrics['accuracy']).toBe(0);
  });
});

describe('the prediction loss', () => {
  it('is the weighted cross-entropy, with its gradient and the share of right guesses', async () => {
    const random = Random.seeded(2);
    const logits = numbers(6 * 5, () => 2 * random.normal());
    const targets = [0, 3, 4, 1, 1, 2];
    const rowOf = (values: readonly number[], i: number): readonly number[] => values.slice(i * 5, i * 5 + 5);
    const reference = (values: readonly number[]): number =>
      sumOf(
        targets.map((target, i) => {
          const row = rowOf(values, i);
          return weights[i]! * (Math.log(sumOf(row.map(Math.exp))) - row[target]!);
        }),
      );
    const { loss, metrics, gradients } = await lossAndGradients(
      { x: floats([6, 5], logits) },
      ({ x }, symbols) => {
        const { loss: own, ...rest } = predictionLoss(
          { hidden: x, head: identityMatrix(x.graph, 5) },
          symbols.targets,
          symbols.weights,
        );
        return { loss: own, metrics: rest };
      },
      { targets: ints([6], targets), weights: floats([6], weights) },
    );
    expect(loss).toBeAllClose(reference(logits), { rtol: 1e-5 });
    expect(gradients['x']).toBeAllClose(finiteDifferences(reference, logits), { atol: 1e-5, rtol: 1e-4 });
    expect(gradients['x']!.slice(25).every((value) => value === 0)).toBe(true);
    const right = targets.map((target, i) => Math.max(...rowOf(logits, i)) === rowOf(logits, i)[target]);
    expect(metrics['accuracy']).toBeAllClose(sumOf(right.map((is, i) => Number(is) * weights[i]!)));
  });
});

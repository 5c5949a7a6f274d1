import { createOptimizer } from '@crucible/optim';
import { floats, matmul, mul, square, sub, sum } from '@crucible/tensor';
import '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lossAndGradients, valuesOf } from './testing/gradients.ts';
import { type LossFunction, TrainStep } from './train-step.ts';

interface Line {
  readonly weight: ReturnType<typeof floats>;
}

interface Points {
  readonly [name: string]: ReturnType<typeof floats>;
  readonly x: ReturnType<typeof floats>;
  readonly y: ReturnType<typeof floats>;
}

/** Mean squared error over eight points, as a sum that is divided by eight. */
const loss: LossFunction<Line, Points> = ({ weight }, { x, y }) => {
  const error = sum(square(sub(matmul(x, weight), y)));
  return { loss: mul(error, 1 / 8), metrics: { error } };
};

const line: Line = { weight: floats([2, 1], [0.5, -1]) };
const all = Array.from({ length: 8 }, (_, i) => ({ x: [Math.sin(i), Math.cos(2 * i)], y: i / 4 }));

function points(from: number, to: number): Points {
  const part = all.slice(from, to);
  return {
    x: floats(
      [part.length, 2],
      part.flatMap(({ x }) => x),
    ),
    y: floats(
      [part.length, 1],
      part.map(({ y }) => y),
    ),
  };
}

const splits: Record<string, Points[]> = {
  'two halves': [points(0, 4), points(4, 8)],
  'parts of different sizes': [points(0, 1), points(1, 6), points(6, 8)],
};

function train(options: { readonly microBatches?: number } = {}): TrainStep<Line, Points> {
  const step = new TrainStep(line, loss, { name: 'line', optimizer: createOptimizer(), threads: 1, ...options });
  onTestFinished(() => step.dispose());
  return step;
}

describe('a step', () => {
  it('follows the gradient of the loss', async () => {
    const { loss: value, metrics, gradients } = await lossAndGradients(line, loss, points(0, 8));
    const errors = all.map(({ x, y }) => 0.5 * x[0]! - x[1]! - y);
    const total = errors.reduce((a, e) => a + e * e, 0);
    expect(value).toBeAllClose(total / 8);
    expect(metrics['error']).toBeAllClose(total);
    expect(gradients['weight']).toBeAllClose(
      [0, 1].map((k) => errors.reduce((a, e, i) => a + (2 / 8) * e * all[i]!.x[k]!, 0)),
    );
  });

  it.each(Object.entries(splits))('gives the same loss, metrics and gradient in %s', async (_name, parts) => {
    const whole = await lossAndGradients(line, loss, points(0, 8));
    const inParts = await lossAndGradients(line, loss, parts);
    expect(inParts.loss).toBeAllClose(whole.loss);
    expect(inParts.metrics['error']).toBeAllClose(whole.metrics['error']!);
    expect(inParts.gradients['weight']).toBeAllClose(whole.gradients['weight']!);
  });

  it('moves parameters and optimizer alike in parts, step after step', async () => {
    const [whole, inParts] = [train(), train()];
    for (let n = 0; n < 3; n++) {
      const [a, b] = [await whole.run(points(0, 8), 0.1), await inParts.run(splits['two halves']!, 0.1)];
      expect(b.gradientNorm).toBeAllClose(a.gradientNorm);
    }
    expect(valuesOf(inParts.parameters)['weight']).toBeAllClose(valuesOf(whole.parameters)['weight']!);
    expect(valuesOf(whole.parameters)['weight']![0]).not.toBeCloseTo(0.5, 2);
    expect([whole.steps, inParts.steps]).toEqual([3, 3]);
  });

  it('leaves the arrays that it was given as they are', async () => {
    const step = train();
    await step.run(points(0, 8), 0.1);
    expect(Array.from(line.weight.data)).toEqual([0.5, -1]);
    expect(Array.from(step.parameters.weight.data)).not.toEqual([0.5, -1]);
  });

  it('writes over its own arrays, and gives out copies that stay as they are', async () => {
    const step = train();
    await step.run(points(0, 8), 0.1);
    const [copies, { parameters, state }] = [await step.onHost(), await step.lent()];
    const before = [valuesOf(copies.parameters), valuesOf(copies.state)].map((tree) => structuredClone(tree));
    expect([valuesOf(parameters), valuesOf(state)]).toEqual(before);
    await step.run([points(0, 4), points(4, 8)], 0.1);
    expect([valuesOf(copies.parameters), valuesOf(copies.state)]).toEqual(before);
    expect(step.parameters.weight).toBe(parameters.weight);
    expect(valuesOf(parameters)).not.toEqual(before[0]);
  });

  it.each([2, 4, 8])('adds up %d micro batches within the program', async (microBatches) => {
    const whole = await lossAndGradients(line, loss, points(0, 8));
    const looped = await lossAndGradients(line, loss, points(0, 8), { microBatches });
    expect(looped.loss).toBeAllClose(whole.loss);
    expect(looped.gradientNorm).toBeAllClose(whole.gradientNorm);
    expect(looped.metrics['error']).toBeAllClose(whole.metrics['error']!);
    expect(looped.gradients['weight']).toBeAllClose(whole.gradients['weight']!);
  });

  it('refuses micro batches that rows do not divide into', async () => {
    await expect(train({ microBatches: 3 }).run(points(0, 8), 0.1)).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'line: x of the batch has the shape [8, 2], which does not divide into 3 micro batches',
    });
  });

  it('refuses a batch of no parts', async () => {
    await expect(train().run([], 0.1)).rejects.toThrow('line: a batch of no parts');
  });

  it.each([
    ['whole', points(0, 8)],
    ['in parts', [points(0, 4), points(4, 8)]],
  ])('that meets a loss which is no number throws and changes nothing (%s)', async (_name, good) => {
    const step = train();
    await step.run(good, 0.1);
    const [parameters, state] = [valuesOf(step.parameters), valuesOf(step.state)];
    const bad = { x: points(0, 8).x, y: floats([8, 1], new Float32Array(8).fill(NaN)) };
    await expect(step.run(Array.isArray(good) ? [bad] : bad, 0.1)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'line: loss NaN and gradient norm NaN at step 2; a lower learning rate may help',
    });
    expect(valuesOf(step.parameters)).toEqual(parameters);
    expect(valuesOf(step.state)).toEqual(state);
    expect(step.steps).toBe(1);
    await step.run(good, 0.1);
    expect(step.steps).toBe(2);
  });
});

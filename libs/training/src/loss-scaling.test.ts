import { createOptimizer } from '@crucible/optim';
import { type FloatArray, floats, matmul, mul, type Precision, square, sub, sum } from '@crucible/tensor';
import '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LossScaling } from './loss-scaling.ts';
import { valuesOf } from './testing/gradients.ts';
import { type LossFunction, TrainStep } from './train-step.ts';

interface Line {
  readonly weight: FloatArray;
}

type Points = Readonly<Record<'x' | 'y', FloatArray>>;

const line: Line = { weight: floats([2, 1], [0.5, -1]) };
const rows = Array.from({ length: 8 }, (_, i) => ({ x: [Math.sin(i), Math.cos(2 * i)], y: i / 4 }));
const points: Points = {
  x: floats(
    [8, 2],
    rows.flatMap(({ x }) => x),
  ),
  y: floats(
    [8, 1],
    rows.map(({ y }) => y),
  ),
};

function lossOf(factor: number): LossFunction<Line, Points> {
  return ({ weight }, { x, y }) => ({ loss: mul(sum(square(sub(matmul(x, weight), y))), factor) });
}

interface Options {
  readonly precision?: Precision;
  readonly lossScaling?: LossScaling;
  readonly factor?: number;
  readonly resumedScale?: number;
}

function train({ factor = 1 / 8, resumedScale, ...options }: Options): TrainStep<Line, Points> {
  const optimizer = createOptimizer({ clipNorm: 1e9 });
  const step = new TrainStep(
    line,
    lossOf(factor),
    { name: 'line', optimizer, threads: 1, precision: 'float16', ...options },
    resumedScale === undefined ? undefined : { state: optimizer.init(line), steps: 0, lossScale: resumedScale },
  );
  onTestFinished(() => step.dispose());
  return step;
}

describe('with products in float16', () => {
  it('steps are those of float32 to the precision of halves', async () => {
    const [half, whole] = [train({}), train({ precision: 'float32' })];
    for (let n = 0; n < 5; n++) {
      const [a, b] = [await half.run(points, 0.05), await whole.run(points, 0.05)];
      expect(a.loss).toBeAllClose(b.loss, { rtol: 2e-3 });
      expect(a.gradientNorm).toBeAllClose(b.gradientNorm, { rtol: 5e-3 });
      expect(b.lossScale).toBeUndefined();
    }
    expect(valuesOf(half.parameters)['weight']).toBeAllClose(valuesOf(whole.parameters)['weight']!, { atol: 2e-3 });
  });

  it('gradients too small for halves are not lost', async () => {
    const factor = 1e-9;
    const norm = async (options: Options): Promise<number> =>
      (await train({ factor, ...options }).run(points, 0)).gradientNorm;
    const expected = await norm({ precision: 'float32' });
    expect(await norm({ lossScaling: { initial: 1 } })).toBe(0);
    expect(await norm({})).toBeAllClose(expected, { rtol: 5e-3, atol: 0 });
  });

  it.each(['whole', 'in parts'])('a step that overflows is made again at half the scale (%s)', async (how) => {
    const batch = how === 'whole' ? points : [points];
    const [found, expected] = [train({ lossScaling: { initial: 2 ** 20 } }), train({ resumedScale: 2 ** 12 })];
    const { lossScale, loss } = await found.run(batch, 0.05);
    expect(lossScale).toBeLessThan(2 ** 18);
    expect(lossScale).toBeGreaterThanOrEqual(2 ** 10);
    expect(found.steps).toBe(1);
    expect(loss).toBeAllClose((await expected.run(points, 0.05)).loss, { rtol: 1e-6 });
    expect(valuesOf(found.parameters)['weight']).toBeAllClose(valuesOf(expected.parameters)['weight']!, { rtol: 1e-3 });
    expect((await found.onHost()).lossScale).toBe(lossScale);
  });

  it('the scale doubles after so many steps without overflow, and is gone on from', async () => {
    const step = train({ lossScaling: { initial: 64, growthSteps: 2 } });
    const scales: (number | undefined)[] = [];
    for (let n = 0; n < 5; n++) scales.push((await step.run(points, 0.01)).lossScale);
    expect(scales).toEqual([64, 128, 128, 256, 256]);
    expect((await train({ resumedScale: 512 }).run(points, 0.01)).lossScale).toBe(512);
  });

  it('gradients that overflow at any scale are an error that changes nothing', async () => {
    const step = train({ factor: 1e8 });
    await expect(step.run(points, 0.1)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(/^line: loss \d+ and gradient norm (Infinity|NaN) at step 1; a lower/) as string,
    });
    expect(Array.from(step.parameters.weight.data)).toEqual([0.5, -1]);
    expect(step.steps).toBe(0);
  });
});

import { expect, test } from 'vitest';
import type { Point } from '../api/jobs.ts';
import { Curves, thinned, ticks } from './curves.ts';

function point(sequence: number, stage: string, step: number, metrics: Point['metrics']): Point {
  return { sequence, stage, step, steps: 100, metrics };
}

test('points go to their stage and figure', () => {
  const curves = new Curves();
  curves.add([point(2, 'pretrain', 1, { loss: 5 }), point(3, 'pretrain', 2, { loss: 4, exact: 0.5 })]);
  curves.add([point(3, 'pretrain', 2, { loss: 99 }), point(5, 'sft', 1, { loss: 2, bad: Number.NaN })]);
  expect(curves.view()).toEqual([
    {
      stage: 'pretrain',
      step: 2,
      steps: 100,
      byName: new Map([
        [
          'loss',
          [
            { step: 1, value: 5 },
            { step: 2, value: 4 },
          ],
        ],
        ['exact', [{ step: 2, value: 0.5 }]],
      ]),
    },
    { stage: 'sft', step: 1, steps: 100, byName: new Map([['loss', [{ step: 1, value: 2 }]]]) },
  ]);
});

test('a stage that goes on from a checkpoint draws over what came after it', () => {
  const curves = new Curves();
  curves.add([10, 20, 30].map((step, i) => point(i + 1, 'sft', step, { loss: step })));
  curves.add([point(4, 'sft', 15, { loss: 7 })]);
  expect(curves.view()[0]!.byName.get('loss')).toEqual([
    { step: 10, value: 10 },
    { step: 15, value: 7 },
  ]);
});

test('a long curve keeps its ends and every peak', () => {
  const curve = Array.from({ length: 100_000 }, (_, step) => ({ step, value: step === 77_777 ? 9 : Math.sin(step) }));
  const few = thinned(curve, 400);
  expect(few.length).toBeLessThanOrEqual(402);
  expect(few[0]).toBe(curve[0]);
  expect(few.at(-1)).toBe(curve.at(-1));
  expect(few).toContain(curve[77_777]);
  const steps = few.map(({ step }) => step);
  expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
});

test('ticks are round, few and within', () => {
  expect(ticks(0, 1)).toEqual([0, 0.5, 1]);
  expect(ticks(2.13, 5.9)).toEqual([4]);
  expect(ticks(-0.02, 0.11)).toEqual([0, 0.05, 0.1]);
  expect(ticks(1000, 4321)).toEqual([2000, 4000]);
});

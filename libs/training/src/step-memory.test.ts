import { createOptimizer } from '@crucible/optim';
import { floats, matmul, square, sum } from '@crucible/tensor';
import { expect, it } from 'vitest';
import { assertStepFits, stepMemory } from './step-memory.ts';
import { TrainStep } from './train-step.ts';

it('refuses a step that does not fit, before it takes anything, and says what would', async () => {
  // All pairs of 400,000 numbers: 640 GB.
  const batch = { x: floats([400_000, 1], new Float32Array(400_000)) };
  const step = new TrainStep(
    { w: floats([1, 400_000], new Float32Array(400_000)) },
    ({ w }, { x }) => ({ loss: sum(square(matmul(x!, w))) }),
    { name: 'fine-tuning', optimizer: createOptimizer() },
  );
  await expect(step.run(batch, 1)).rejects.toMatchObject({
    code: 'resource-exhausted',
    message: expect.stringMatching(
      /^fine-tuning: a step takes about \d+\.\d\d GB beside the 0\.00 GB of its inputs, and \d+\.\d\d GB are free; .* an adapter \(--adapter lora\) of both$/,
    ) as string,
  });
  expect(step.steps).toBe(0);
  await step.dispose();
});

it('allows a step that fits within what predictions are good to', () => {
  const memory = stepMemory({ inputs: 1e9, constants: 0, between: 4e9, results: 1e9, held: 0.2e9 }, 0.3e9);
  expect(memory.needed).toBeCloseTo(1.1 * 3e9 + 3.2e9 + 0.5e9 + 100 * 2 ** 20, -3);
  expect(() => assertStepFits('x', memory, 0.71 * memory.needed)).not.toThrow();
  expect(() => assertStepFits('x', memory, 0.69 * memory.needed)).toThrow(
    'x: a step takes about 7.10 GB beside the 1.00 GB',
  );
});

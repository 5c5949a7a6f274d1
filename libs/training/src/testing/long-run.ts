/**
 * For tests, as a process of its own: `node --expose-gc long-run.ts steps|programs` makes 10,000 small training steps, or
 * compiles, runs and releases 100 programs, and prints the resident MiB after each tenth of it, as JSON.
 */
import { Random } from '@crucible/foundation';
import { createOptimizer } from '@crucible/optim';
import { compile, floats, gradient, matmul, mean, square, sub, tanh } from '@crucible/tensor';
import { TrainStep } from '../train-step.ts';

const random = Random.seeded(1);
const normal = (...shape: [number, number]) =>
  floats(
    shape,
    Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
  );
const weights = { up: normal(100, 200), down: normal(200, 100) };
const data = { x: normal(8, 100), y: normal(8, 100) };
const held: number[] = [];

async function tenTimes(part: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await part();
    globalThis.gc!();
    held.push(Math.round(process.memoryUsage().rss / 2 ** 20));
  }
}

if (process.argv[2] === 'steps') {
  const training = new TrainStep<typeof weights, typeof data>(
    weights,
    ({ up, down }, { x, y }) => ({ loss: mean(square(sub(matmul(tanh(matmul(x, up)), down), y))) }),
    { name: 'long run', optimizer: createOptimizer(), threads: 1 },
  );
  await tenTimes(async () => {
    for (let step = 0; step < 1000; step++) await training.run(data, 1e-4);
  });
  await training.dispose();
} else {
  await tenTimes(async () => {
    for (let n = 0; n < 10; n++) {
      const program = await compile({ weights, data }, ({ weights: { up, down }, data: { x, y } }) => {
        const loss = mean(square(sub(matmul(tanh(matmul(x, up)), down), y)));
        return { loss, by: gradient(loss, { up, down }) };
      });
      await program.run({ weights, data });
      await program.dispose();
    }
  });
}
process.stdout.write(JSON.stringify(held));

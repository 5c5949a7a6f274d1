import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from './autodiff/gradient.ts';
import { add, mul, square, sub } from './library/elementwise.ts';
import { matmul } from './library/linalg.ts';
import { mean } from './library/reduction.ts';
import { type FloatArray, floats, itemOf, zerosArray } from './nd-array.ts';
import { compile } from './trace/compile.ts';

describe('a training loop', () => {
  it('uses no more memory after 500 steps than after 50, and learns', async () => {
    // Two million parameters: 500 steps that each lost their old parameters and moments would take 12 GB.
    const size = 1024;
    const w = zerosArray('float32', [size, 2 * size]);
    const random = Random.seeded(1);
    const normal = (rows: number, columns: number): FloatArray =>
      floats(
        [rows, columns],
        Float32Array.from({ length: rows * columns }, () => random.normal()),
      );
    const x = normal(64, size);
    const y = normal(64, 2 * size);
    const program = await compile({ w, m: w, x, y }, (inputs) => {
      const loss = mean(square(sub(matmul(inputs.x, inputs.w), inputs.y)));
      const m = add(mul(inputs.m, 0.9), gradient(loss, inputs.w));
      return { loss, w: sub(inputs.w, mul(m, 1)), m };
    });
    let state = { w, m: w };
    const losses: number[] = [];
    const resident: number[] = [];
    for (let step = 1; step <= 500; step++) {
      const { loss, ...next } = await program.run({ ...state, x, y });
      state = next as typeof state;
      losses.push(itemOf(loss));
      if (step % 50 === 0) resident.push(process.memoryUsage().rss / 2 ** 20);
    }
    await program.dispose();
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
    const early = Math.max(...resident.slice(0, 3));
    expect(
      Math.max(...resident.slice(3)),
      `resident MiB every 50 steps: ${resident.map(Math.round).join(', ')}`,
    ).toBeLessThan(early + 100);
  }, 300_000);
});

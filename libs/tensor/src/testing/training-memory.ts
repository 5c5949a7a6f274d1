/**
 * For tests, as a process of its own: `node training-memory.ts plain|checkpoint` trains a deep network for one step and
 * prints what that took at its peak, in MiB, as JSON, with the loss and a sum of the gradients.
 */
import { Random } from '@crucible/foundation';
import { gradient } from '../autodiff/gradient.ts';
import type { Tensor } from '../ir/tensor.ts';
import { checkpoint } from '../library/control.ts';
import { abs, add, addAll, mul, sigmoid, square, tanh } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { mean, sum } from '../library/reduction.ts';
import { type FloatArray, floats, itemOf } from '../nd-array.ts';
import { compile } from '../trace/compile.ts';

const [rows, width, layers] = [4096, 128, 12];
const random = Random.seeded(1);

function normal(...shape: number[]): FloatArray {
  const size = shape.reduce((a, b) => a * b, 1);
  return floats(
    shape,
    Float32Array.from({ length: size }, () => 0.1 * random.normal()),
  );
}

const peakMiB = (): number => process.resourceUsage().maxRSS / 1024;

interface Layer {
  readonly up: Tensor;
  readonly down: Tensor;
}

const block = (x: Tensor, { up, down }: Layer): Tensor =>
  add(x, tanh(matmul(mul(tanh(matmul(x, up)), sigmoid(x)), down)));
const marked = process.argv[2] === 'checkpoint' ? checkpoint(block) : block;

const inputs = {
  x: normal(rows, width),
  weights: Array.from({ length: layers }, () => ({ up: normal(width, width), down: normal(width, width) })),
};
const program = await compile(inputs, ({ x, weights }) => {
  const loss = mean(square(weights.reduce<Tensor>(marked, x)));
  const by = gradient(loss, weights);
  return { loss, checksum: addAll(by.flatMap(({ up, down }) => [sum(abs(up)), sum(abs(down))])) };
});
const before = peakMiB();
const { loss, checksum } = await program.run(inputs);
process.stdout.write(
  `${JSON.stringify({ peakMiB: peakMiB() - before, loss: itemOf(loss), checksum: itemOf(checksum) })}\n`,
);
await program.dispose();

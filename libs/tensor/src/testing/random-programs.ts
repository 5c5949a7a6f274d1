/** For tests: what must hold of every program, tried on random ones. A program that fails is shrunk and printed. */
import { gradient } from '../autodiff/gradient.ts';
import type { Device } from '../device.ts';
import { type Program, topologicalOrder } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';
import { addAll, mul } from '../library/elementwise.ts';
import { sum } from '../library/reduction.ts';
import type { NdArray } from '../nd-array.ts';
import { evaluate, type ReferenceArray } from '../reference/evaluate.ts';
import { optimize } from '../rewrite/passes.ts';
import { runOnOnnx } from './primitive-cases.ts';
import { randomProgram, type RandomProgram } from './random-program.ts';
import { type FailingProgram, printFailing, shrink } from './shrink.ts';

/** Beyond it float32 says nothing about a program. */
const largest = 1e4;

/**
 * How a program's results differ between the reference, the optimized program and ONNX Runtime; undefined where they agree
 * within what float32 rounds, or where the program is nothing to compare by: too large, or too sensitive.
 */
export async function disagreement(
  { program, feeds }: FailingProgram,
  optimizing: (program: Program) => Program = optimize,
  device: Device = 'cpu',
  runsOn = device,
): Promise<string | undefined> {
  const expected = evaluate(program, feeds);
  const rounded = evaluate(program, feeds, { precision: 'float32' });
  const isTame = expected.every(
    ({ dtype, data }) => dtype !== 'float32' || data.every((value: number) => Math.abs(value) <= largest),
  );
  if (!isTame) return undefined;
  // How much a rounding in each operation moves the results
  const noise = expected.map(({ data }, i) =>
    Math.max(0, ...data.map((value: number, j: number) => Math.abs(value - rounded[i]!.data[j]!))),
  );
  let optimized: Program;
  try {
    optimized = optimizing(program);
  } catch (reason) {
    return `it cannot be optimized: ${(reason as Error).message}`;
  }
  const runs: [how: string, results: readonly ReferenceArray[]][] = [
    ['the optimized program, by the reference', evaluate(optimized, feeds)],
    ['the program as it was traced, by ONNX Runtime', await runOnOnnx(program, feeds, device, runsOn)],
    ['the optimized program, by ONNX Runtime', await runOnOnnx(optimized, feeds, device, runsOn)],
  ];
  for (const [how, results] of runs) {
    for (const [i, { dtype, shape, data }] of expected.entries()) {
      const found = results[i]!;
      if (found.dtype !== dtype || found.shape.join() !== shape.join()) {
        return `output ${i} of ${how} is ${found.dtype}[${found.shape.join()}], not ${dtype}[${shape.join()}]`;
      }
      for (let j = 0; j < data.length; j++) {
        const allowed = dtype === 'float32' ? 1e-4 * (1 + Math.abs(data[j]!)) + 30 * noise[i]! : 0;
        if (!(Math.abs(found.data[j]! - data[j]!) <= allowed)) {
          return `output ${i}, element ${j} of ${how} is ${found.data[j]}, not ${data[j]}`;
        }
      }
    }
  }
  return undefined;
}

/** Tries seeds and throws the first disagreement, with the smallest program that has it. */
export async function expectAgreement(
  seeds: Iterable<number>,
  options: { readonly gradients: boolean },
): Promise<void> {
  for (const seed of seeds) {
    const failing = randomProgram(seed, options);
    if ((await disagreement(failing)) === undefined) continue;
    const smallest = await shrink(failing, async (program) => (await disagreement(program)) !== undefined);
    throw new Error(`seed ${seed}: ${await disagreement(smallest)}\n${printFailing(smallest)}`);
  }
}

/** Tries seeds and throws the first gradient that is not the slope of its program, in float64. */
export function expectSlopes(seeds: Iterable<number>, { twice = false } = {}): void {
  for (const seed of seeds) {
    const random = randomProgram(seed, { gradients: true, size: 5 });
    // Differences see through it
    if (topologicalOrder(random.program.outputs).some(({ primitive }) => primitive === 'stopGradient')) continue;
    const what = wrongSlope(random, twice);
    if (what !== undefined) throw new Error(`seed ${seed}: ${what}\n${printFailing(random)}`);
  }
}

function wrongSlope({ program, feeds, loss }: RandomProgram, twice: boolean): string | undefined {
  const inputs = program.inputs.filter(({ dtype }) => dtype === 'float32');
  if (inputs.length === 0) return undefined;
  const once = gradient(loss!, inputs);
  const target = twice ? addAll(once.map((by, i) => sum(mul(by, Math.cos(i + 1))))) : loss!;
  const gradients = twice ? gradient(target, inputs) : once;
  const found = evaluate({ inputs: program.inputs, outputs: gradients }, feeds);
  for (const [i, input] of inputs.entries()) {
    const { name } = input.params;
    for (let j = 0; j < feeds[name]!.data.length; j++) {
      const coarse = slope(program.inputs, target, feeds, name, j, 1e-4);
      const fine = slope(program.inputs, target, feeds, name, j, 5e-5);
      const scale = 1 + Math.abs(fine);
      // Where the two differ the program is too steep for differences to tell.
      if (!(Math.abs(coarse - fine) <= 1e-4 * scale)) continue;
      const allowed = 1e-5 * scale + 10 * Math.abs(coarse - fine);
      if (!(Math.abs(found[i]!.data[j]! - fine) <= allowed)) {
        return `the gradient${twice ? ' of the gradient' : ''} by ${name}, element ${j} is ${found[i]!.data[j]}, not ${fine}`;
      }
    }
  }
  return undefined;
}

function slope(
  inputs: Program['inputs'],
  loss: Tensor,
  feeds: Readonly<Record<string, NdArray>>,
  name: string,
  j: number,
  step: number,
): number {
  const at = (change: number): number => {
    const { dtype, shape, data: given } = feeds[name]!;
    const data = Float64Array.from(given);
    data[j]! += change;
    return evaluate({ inputs, outputs: [loss] }, { ...feeds, [name]: { dtype, shape, data } })[0]!.data[0]!;
  };
  return (at(step) - at(-step)) / (2 * step);
}

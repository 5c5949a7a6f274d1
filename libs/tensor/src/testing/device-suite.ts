/**
 * Runs every primitive and random programs on a device, against the reference, and writes a line of JSON for each. A
 * process of its own: WebGPU has one owner a process, and what goes wrong in it may end the process.
 *
 *     node device-suite.ts DEVICE
 */
import { Random } from '@crucible/foundation';
import { gradient } from '../autodiff/gradient.ts';
import { type Device, devices } from '../device.ts';
import type { HostType } from '../dtype.ts';
import { type Program, topologicalOrder } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { cast, mul } from '../library/elementwise.ts';
import { sum } from '../library/reduction.ts';
import type { NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { optimize } from '../rewrite/passes.ts';
import { sizeOf } from '../shape.ts';
import { controlCases } from './cases/control.ts';
import { acceptedTypes, withType } from './capability-page.ts';
import { primitiveCases, type Row, runOnOnnx, traceCase } from './primitive-cases.ts';
import { randomProgram } from './random-program.ts';
import { disagreement } from './random-programs.ts';

/** What came of one program. */
export interface SuiteLine {
  /** A primitive, or `random programs`. */
  readonly of: string;
  readonly what: string;
  /** Nothing where the device agrees with the reference. */
  readonly error?: string;
}

/** Seeds of random programs. */
const randomPrograms = 60;

/** Primitives that a GPU rounds more coarsely (WGSL, "Floating Point Evaluation"): what their results may differ by. */
const coarse: Partial<Record<Primitive, number>> = { tan: 1e-3, asin: 1e-3, acos: 1e-3, atan: 1e-3 };

function difference(program: Program, found: readonly NdArray[], feeds: Record<string, NdArray>, tolerance: number) {
  for (const [i, { data }] of evaluate(program, feeds).entries()) {
    for (const [j, value] of data.entries()) {
      const at = found[i]!.data[j]!;
      if (!(Math.abs(at - value) <= tolerance * (1 + Math.abs(value)))) {
        return `output ${i}, element ${j} is ${at}, not ${value}`;
      }
    }
  }
  return undefined;
}

async function attempt(of: string, what: string, run: () => Promise<string | undefined>): Promise<void> {
  let error: string | undefined;
  try {
    error = await run();
  } catch (reason) {
    error = (reason as Error).message;
  }
  const line: SuiteLine = { of, what, ...(error !== undefined && { error }) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Σ y w with fixed random weights, as the tests on the CPU have it. */
function weighted(y: Tensor, random: Random): Tensor {
  const weights = Float32Array.from({ length: sizeOf(y.shape) }, () => random.normal());
  return sum(mul(cast(y, 'float32'), y.graph.constant('float32', y.shape, weights)));
}

async function runPrimitive(primitive: Primitive, row: Row<Primitive>, device: Device): Promise<void> {
  const tolerance = coarse[primitive] ?? 2e-5;
  for (const [number, example] of row.cases.entries()) {
    const random = Random.seeded(number + 1);
    const { inputs, feeds, y } = traceCase(primitive, example, random);
    const program = { inputs, outputs: [y] };
    await attempt(primitive, `case ${number}`, async () =>
      difference(program, await runOnOnnx(program, feeds, device), feeds, tolerance),
    );
    const by = inputs.filter((input, i) => input.dtype === 'float32' && row.differentiable?.includes(i));
    if (by.length === 0) continue;
    await attempt(primitive, `gradient of case ${number}`, async () => {
      const gradients = { inputs, outputs: gradient(weighted(y, random), by) };
      return difference(gradients, await runOnOnnx(optimize(gradients), feeds, device), feeds, 3 * tolerance);
    });
  }
  const [first] = row.cases;
  if (first === undefined || first.operands.length === 0 || primitive in controlCases) return;
  const main = traceCase(primitive, first, Random.seeded(1)).inputs[0]!.dtype;
  for (const dtype of (await acceptedTypes(primitive, row.cases)) as HostType[]) {
    if (dtype === main) continue;
    const { inputs, feeds, y } = traceCase(primitive, withType(primitive, first, dtype), Random.seeded(1));
    const program = { inputs, outputs: [y] };
    await attempt(primitive, dtype, async () =>
      difference(program, await runOnOnnx(program, feeds, device), feeds, tolerance),
    );
  }
}

const device = devices.find((name) => name === process.argv[2]);
if (!device) throw new Error(`usage: device-suite.ts ${devices.join(' | ')}`);
const only = process.argv.slice(3);
for (const [primitive, row] of Object.entries(primitiveCases) as [Primitive, Row<Primitive>][]) {
  if (only.length === 0 || only.includes(primitive)) await runPrimitive(primitive, row, device);
}
if (only.length === 0 || only.includes('random')) {
  for (let seed = 0; seed < randomPrograms; seed++) {
    const random = randomProgram(seed, { gradients: seed % 2 === 1 });
    // Those are the CPU's alone
    if (topologicalOrder(random.program.outputs).some(({ primitive }) => primitive === 'whileLoop')) continue;
    await attempt('random programs', `seed ${seed}`, () => disagreement(random, optimize, device));
  }
}

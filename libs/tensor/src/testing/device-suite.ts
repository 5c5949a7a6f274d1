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
import { Graph, type Program, topologicalOrder } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { add, cast, mul } from '../library/elementwise.ts';
import { sum } from '../library/reduction.ts';
import { lowerProgram } from '../lower/lower.ts';
import { floats, isNdArray, ndArray, type NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { optimize } from '../rewrite/passes.ts';
import { type AnyArray, DeviceArray, disposeArrays } from '../runtime/device-array.ts';
import { toDevice, toHost, treeToDevice, treeToHost } from '../runtime/transfer.ts';
import { describeUnplaced, findUnplaced } from '../runtime/unplaced.ts';
import { sizeOf } from '../shape.ts';
import { compile } from '../trace/compile.ts';
import { flatten } from '../tree.ts';
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
const randomPrograms = 30;

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

/** What only a device with memory of its own has. */
async function runMemory(device: Device): Promise<void> {
  const of = 'memory of the device';
  const x = floats([2, 3], [1, -2, 3, -4, 5, -6]);
  const step = await compile({ x, y: x }, (given) => ({ next: add(given.x, given.y), total: sum(given.x) }), {
    device,
    keep: ['next'],
  });
  await attempt(of, 'kept outputs are fed again, and nothing else is left', async () => {
    let state: AnyArray = x;
    for (let n = 0; n < 300; n++) {
      const { next, total } = await step.run({ x: state, y: x });
      if (state instanceof DeviceArray) state.dispose();
      if (total.data[0] !== -3 * (n + 1)) return `total ${n} is ${total.data[0]}`;
      if (!(next instanceof DeviceArray)) return 'a kept output is on the host';
      if (DeviceArray.live !== 1) return `${DeviceArray.live} arrays after step ${n}`;
      state = next;
    }
    const { data } = await toHost(state);
    disposeArrays({ state });
    return (
      equalValues(
        data,
        x.data.map((value) => 301 * value),
      ) ?? (DeviceArray.live === 0 ? undefined : 'a leak')
    );
  });
  await attempt(of, 'a program takes arrays of another, after that one is gone', async () => {
    const first = await compile({ x }, (given) => ({ y: mul(given.x, 2) }), { device, keep: ['y'] });
    const { y } = await first.run({ x });
    await first.dispose();
    const { next } = await step.run({ x: y, y: x });
    const { data } = await toHost(next);
    disposeArrays([y, next]);
    return equalValues(
      data,
      x.data.map((value) => 3 * value),
    );
  });
  await attempt(of, 'arrays come back as they went, of every type and rank', async () => {
    const tree = {
      floats: x,
      scalar: floats([], [7]),
      ints: ndArray('int32', [3], Int32Array.of(-1, 2 ** 31 - 1, 0)),
      bits: ndArray('uint32', [2, 1], Uint32Array.of(2 ** 32 - 1, 5)),
      bools: ndArray('bool', [2], Uint8Array.of(1, 0)),
      nothing: floats([0, 4], []),
    };
    const there = await treeToDevice(tree, device);
    // Of those two there is nothing on the device.
    const live = DeviceArray.live;
    const back = await treeToHost(there);
    disposeArrays(there);
    if (live !== 4) return `${live} arrays on the device, not 4`;
    for (const { path, leaf } of flatten(tree, isNdArray)) {
      const found = flatten(back, isNdArray).find((one) => one.path === path)!.leaf;
      if (found.dtype !== leaf.dtype || found.shape.join() !== leaf.shape.join()) return `${path} has another type`;
      const different = equalValues(found.data, leaf.data);
      if (different !== undefined) return `${path}: ${different}`;
    }
    return undefined;
  });
  await attempt(of, '60 programs made and released leave nothing', async () => {
    for (let n = 0; n < 60; n++) {
      const program = await compile({ x }, (given) => ({ y: add(given.x, n % 3) }), { device, keep: ['y'] });
      disposeArrays(await program.run({ x }));
      await program.dispose();
    }
    return DeviceArray.live === 0 ? undefined : `${DeviceArray.live} arrays`;
  });
  await attempt(of, 'an array that was disposed of is an error', async () => {
    const there = await toDevice(x, device);
    disposeArrays(there);
    const message = await step.run({ x: there, y: x }).then(
      () => 'none',
      (reason: unknown) => (reason as Error).message,
    );
    return message.includes('after it was disposed of') ? undefined : message;
  });
  await step.dispose();
}

/** A program lowered for the CPU, whose operators the device lacks. */
async function runUnplaced(device: Device): Promise<void> {
  await attempt('nodes without a kernel', 'are named with their primitives', async () => {
    const graph = new Graph();
    const [a, b] = [graph.input('a', [2, 3, 4], 'float32'), graph.input('b', [2, 3, 4], 'float32')];
    const product = graph.node('matmul', [a, b], { transposeA: false, transposeB: true, alpha: 1 });
    const rounded = graph.node('round', [product], {});
    const outputs = [rounded, graph.node('topIndices', [rounded], { axis: 0, k: 1, largest: true }), sum(rounded)];
    const found = await findUnplaced({ inputs: [a, b] as Tensor<'input'>[], outputs }, device, (program) =>
      lowerProgram(program, 'cpu'),
    );
    const said = describeUnplaced(found);
    const expected =
      'FusedMatMul of matmul(float32[2,3,4], float32[2,3,4]); Round of round(float32[2,3,3]); Cast of topIndices(float32[2,3,3])';
    return said === expected ? undefined : said;
  });
}

function equalValues(found: ArrayLike<number>, expected: ArrayLike<number>): string | undefined {
  const same = found.length === expected.length && Array.from(expected).every((value, i) => found[i] === value);
  return same ? undefined : `${Array.from(found).join()} in place of ${Array.from(expected).join()}`;
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
if (device === 'webgpu' && (only.length === 0 || only.includes('memory'))) {
  await runMemory(device);
  await runUnplaced(device);
}

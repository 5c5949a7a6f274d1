/**
 * The table of primitives in docs/tensor.md. What a primitive takes and becomes is tried out, not declared: its cases are
 * lowered and run with each element type. Run this file to renew the page; a test compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { CrucibleError, Random } from '@crucible/foundation';
import { findWebGpu } from '@crucible/testing/web-gpu';
import type { HostType } from '../dtype.ts';
import { inferType } from '../ir/infer-type.ts';
import type { Primitive } from '../ir/primitive.ts';
import { evaluate } from '../reference/evaluate.ts';
import { controlCases } from './cases/control.ts';
import {
  type Case,
  type Operand,
  operatorsOf,
  primitiveCases,
  type Row,
  runOnOnnx,
  traceCase,
} from './primitive-cases.ts';
import { devicesOf, runDeviceSuite } from './run-device-suite.ts';

export const tensorPage = new URL('../../../../docs/tensor.md', import.meta.url);

const dtypes = ['float32', 'int32', 'uint32', 'bool'] as const satisfies readonly HostType[];

/** A row a primitive: its name, element types, whether it differentiates once and twice, devices, ONNX operators. */
async function capabilityTable(devicesOf: (primitive: Primitive) => string): Promise<string> {
  const rows = [['primitive', 'types', 'gradient', 'twice', 'devices', 'ONNX operators']];
  for (const [primitive, row] of Object.entries(primitiveCases) as [Primitive, Row<Primitive>][]) {
    const differentiable = row.differentiable !== undefined;
    rows.push([
      `\`${primitive}\``,
      (await acceptedTypes(primitive, row.cases)).join(', '),
      differentiable ? 'yes' : 'no',
      row.smooth === true ? 'yes' : 'no',
      devicesOf(primitive),
      operators(primitive, row.cases),
    ]);
  }
  return aligned(rows);
}

/** A Markdown table as the formatter leaves it. */
function aligned(rows: readonly (readonly string[])[]): string {
  const [header, ...body] = rows;
  const widths = header!.map((_cell, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(header!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** The devices of each primitive, as the page has them. */
export function devicesOnPage(page: string): Map<string, string> {
  const rows = page.matchAll(/^\| `(\w+)` +\|(?:[^|]*\|){3} ([^|]*?) +\|/gm);
  return new Map(Array.from(rows, ([, primitive, devices]) => [primitive!, devices!]));
}

/** The page with its table renewed. The devices are those of a run of the suite, else those that the page has. */
export async function renewedTensorPage(page: string, devices = devicesOnPage(page)): Promise<string> {
  const table = await capabilityTable((primitive) => devices.get(primitive) ?? 'cpu');
  return page.replace(
    /(<!-- capabilities -->\n\n)[^]*?(\n\n<!-- end -->)/,
    (_all, before: string, after: string) => before + table + after,
  );
}

/** Element types of the operand that the result takes after, with which the first case runs. */
export async function acceptedTypes(
  primitive: Primitive,
  cases: readonly Case<Primitive>[],
): Promise<readonly HostType[]> {
  const [first] = cases;
  // Leaves are made of whatever they are given, and programs within hold anything.
  if (primitive === 'range') return ['int32', 'uint32'];
  if (first === undefined || first.operands.length === 0 || primitive in controlCases) return dtypes;
  const accepted: HostType[] = [];
  for (const dtype of dtypes) if (await runs(primitive, withType(primitive, first, dtype))) accepted.push(dtype);
  return accepted;
}

/** The case with another element type in its main operand, and in the others of that operand's type. */
export function withType(primitive: Primitive, given: Case<Primitive>, dtype: HostType): Case<Primitive> {
  const typeOf = (operand: Operand): HostType => operand.dtype ?? 'float32';
  const inputs = given.operands.map((operand) => ({ shape: operand.shape, dtype: typeOf(operand) }));
  const result = inferType(primitive, inputs, given.params).dtype;
  const main = typeOf(given.operands.find((operand) => typeOf(operand) === result) ?? given.operands[0]!);
  if (dtype === main) return given;
  const draw = dtype === 'float32' ? {} : { draw: (random: Random) => random.integer(Number(dtype !== 'bool'), 1) };
  return {
    params: given.params,
    operands: given.operands.map((operand) =>
      typeOf(operand) === main ? { shape: operand.shape, dtype, ...draw } : operand,
    ),
  };
}

async function runs(primitive: Primitive, example: Case<Primitive>): Promise<boolean> {
  try {
    const { inputs, y, feeds } = traceCase(primitive, example, Random.seeded(1));
    const program = { inputs, outputs: [y] };
    const [[actual], [expected]] = [await runOnOnnx(program, feeds), evaluate(program, feeds)];
    const isClose = actual!.data.every((value, i) => Math.abs(value - expected!.data[i]!) < 1e-4);
    if (!isClose) throw new Error(`internal: ${primitive} of ${example.operands[0]!.dtype} differs from the reference`);
    return true;
  } catch (reason) {
    if (reason instanceof CrucibleError && reason.code === 'invalid-input') return false;
    throw reason;
  }
}

/** The operators of the primitive's cases. */
function operators(primitive: Primitive, cases: readonly Case<Primitive>[]): string {
  const names = cases.flatMap((example) => {
    const { inputs, results } = traceCase(primitive, example, Random.seeded(1));
    // A constant is no operator, but what is made one's result; a checkpoint is what it holds.
    if (primitive === 'constant' || primitive === 'checkpoint') return [];
    return operatorsOf({ inputs, outputs: results });
  });
  return names.length === 0 ? 'none' : [...new Set(names)].map((name) => `\`${name}\``).join(', ');
}

if (import.meta.main) {
  const page = readFileSync(tensorPage, 'utf8');
  const environment = findWebGpu();
  const devices = environment && devicesOf((await runDeviceSuite('webgpu', environment)).lines);
  writeFileSync(tensorPage, await renewedTensorPage(page, devices));
}

/** Which nodes of a program a device has no kernels for: ONNX Runtime says no more than that there are some. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../device.ts';
import type { HostType } from '../dtype.ts';
import { Graph, type Program, programsWithin, topologicalOrder } from '../ir/graph.ts';
import { printType } from '../ir/print.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import type { LoweredProgram } from '../lower/lower.ts';
import { zerosArray } from '../nd-array.ts';
import { Session, UnplacedNodes } from './session.ts';

export interface Unplaced {
  readonly primitive: string;
  /** Types of its operands. */
  readonly operands: readonly string[];
  /** Those of the ONNX operators that it became which have no kernel; the others have. */
  readonly operators: readonly string[];
}

/** Tries each different node of a program on its own. */
export async function findUnplaced(
  program: Program,
  device: Device,
  lower: (program: Program) => LoweredProgram,
): Promise<Unplaced[]> {
  const found: Unplaced[] = [];
  const tried = new Set<string>();
  const search = async (within: Program): Promise<void> => {
    for (const tensor of topologicalOrder(within.outputs)) {
      if (isPrimitive(tensor, 'input') || isPrimitive(tensor, 'part')) continue;
      for (const inner of programsWithin(tensor)) await search(inner);
      const alone = programOf(tensor);
      const lowered = lower(alone);
      const key = Buffer.from(lowered.model).toString('latin1');
      if (tried.has(key)) continue;
      tried.add(key);
      if (await isPlaced(lowered, device)) continue;
      found.push({
        primitive: tensor.primitive,
        operands: tensor.inputs.map(printType),
        operators: await operatorsOnHost(alone, lowered, device),
      });
    }
  };
  await search(program);
  return found;
}

export function describeUnplaced(unplaced: readonly Unplaced[]): string {
  return unplaced
    .map(({ primitive, operands, operators }) => `${operators.join(', ')} of ${primitive}(${operands.join(', ')})`)
    .join('; ');
}

function programOf(tensor: Tensor): Program {
  const graph = new Graph();
  const inputs = tensor.inputs.map(({ shape, dtype }, i) => graph.input(`x${i}`, shape, dtype));
  const node = graph.node(tensor.primitive, inputs, tensor.params);
  const outputs = node.parts ? node.parts.map((_type, index) => graph.node('part', [node], { index })) : [node];
  return { inputs, outputs };
}

async function isPlaced({ model }: LoweredProgram, device: Device): Promise<boolean> {
  try {
    await (await Session.create(model, { device })).dispose();
    return true;
  } catch (reason) {
    if (reason instanceof UnplacedNodes) return false;
    throw reason;
  }
}

/** Runs a program and reads in ONNX Runtime's profile what ran where. */
async function operatorsOnHost(program: Program, lowered: LoweredProgram, device: Device): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-placement-'));
  try {
    const session = await Session.create(lowered.model, { device, fallBack: true, profile: join(folder, 'profile') });
    const feeds = program.inputs.map(
      (input) => [input.params.name, zerosArray(input.dtype as HostType, input.shape)] as const,
    );
    await session.run(Object.fromEntries(feeds), lowered.outputs);
    session.endProfiling();
    await session.dispose();
    const events = readdirSync(folder).flatMap(
      (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as ProfileEvent[],
    );
    const onHost = events.filter(({ args }) => args?.provider === 'CPUExecutionProvider');
    return [...new Set(onHost.map(({ args }) => args!.op_name!))];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface ProfileEvent {
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

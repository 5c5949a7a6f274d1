/**
 * Scans without what nobody reads. A gradient puts a second scan, with more outputs, beside the one that it goes through
 * (see autodiff/rules/control.ts), and one backwards, in which it may want less than there is.
 */
import { type Program, topologicalOrder } from '../ir/graph.ts';
import type { PrimitiveParams } from '../ir/primitive.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { rebuild, type RewriteRule } from './rewrite.ts';

/** Scans that step by step do the same, over the same inputs, become one with the outputs of all. */
export function mergeScans(program: Program): RewriteRule {
  const groups: { readonly carries: number; readonly bodies: Set<Program> }[] = [];
  for (const tensor of topologicalOrder(program.outputs)) {
    if (!isPrimitive(tensor, 'scan')) continue;
    const { body, carries } = tensor.params;
    const group = groups.find(({ bodies: [other] }) => doTheSame(body, other!, carries));
    if (group) group.bodies.add(body);
    else groups.push({ carries, bodies: new Set([body]) });
  }
  const merged = new Map<Program, Program>();
  for (const { carries, bodies } of groups) {
    const [first] = [...bodies] as [Program];
    const outputs = new Set([...bodies].flatMap((body) => body.outputs.slice(carries)));
    const joined = { inputs: first.inputs, outputs: [...first.outputs.slice(0, carries), ...outputs] };
    if (bodies.size > 1) for (const body of bodies) merged.set(body, joined);
  }
  return (tensor) => {
    if (!isPrimitive(tensor, 'part')) return undefined;
    const [scan] = tensor.inputs;
    const joined = isPrimitive(scan!, 'scan') ? merged.get(scan.params.body) : undefined;
    if (!joined || !isPrimitive(scan!, 'scan')) return undefined;
    const { body, carries } = scan.params;
    const { index } = tensor.params;
    const whole = tensor.graph.node('scan', scan.inputs, { ...scan.params, body: joined });
    const at = index < carries ? index : joined.outputs.indexOf(body.outputs[index]!, carries);
    return tensor.graph.node('part', [whole], { index: at });
  };
}

function doTheSame(a: Program, b: Program, carries: number): boolean {
  const sameInputs = a.inputs.length === b.inputs.length && a.inputs.every((input, i) => input === b.inputs[i]);
  return sameInputs && a.outputs.slice(0, carries).every((output, i) => output === b.outputs[i]);
}

/** Takes out outputs and carries that are not read, and inputs that what is left does not need. */
export function pruneScans(program: Program): Program {
  for (;;) {
    const next = pruneOnce(program);
    if (next.outputs.every((output, i) => output === program.outputs[i])) return next;
    program = next;
  }
}

function pruneOnce(program: Program): Program {
  const read = new Map<Tensor, Set<number>>();
  for (const tensor of topologicalOrder(program.outputs)) {
    if (!isPrimitive(tensor, 'part')) continue;
    const [several] = tensor.inputs as [Tensor];
    read.set(several, (read.get(several) ?? new Set()).add(tensor.params.index));
  }
  const places = new Map<Tensor, readonly number[]>();
  return rebuild(program, (tensor, inputs) => {
    if (isPrimitive(tensor, 'scan')) {
      const pruned = prune(tensor.params, read.get(tensor)!);
      if (!pruned) return undefined;
      places.set(tensor, pruned.outputs);
      return tensor.graph.node(
        'scan',
        pruned.inputs.map((i) => inputs[i]!),
        pruned.params,
      );
    }
    if (isPrimitive(tensor, 'part')) {
      const kept = places.get(tensor.inputs[0]!);
      if (kept) return tensor.graph.node('part', inputs, { index: kept.indexOf(tensor.params.index) });
    }
    return undefined;
  });
}

interface PrunedScan {
  readonly params: PrimitiveParams['scan'];
  /** Which inputs and outputs are left. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

function prune(params: PrimitiveParams['scan'], read: ReadonlySet<number>): PrunedScan | undefined {
  const { body, carries, sequences } = params;
  const needed = new Set(read);
  // A carry is needed by what the steps make of it.
  for (let known = -1; known !== needed.size;) {
    known = needed.size;
    const used = new Set(topologicalOrder([...needed].map((i) => body.outputs[i]!)));
    for (let i = 0; i < carries; i++) if (used.has(body.inputs[i]!)) needed.add(i);
  }
  const outputs = body.outputs.flatMap((_output, i) => (needed.has(i) ? [i] : []));
  const used = new Set(topologicalOrder(outputs.map((i) => body.outputs[i]!)));
  const isUsed = body.inputs.map((input, i) => (i < carries ? needed.has(i) : used.has(input)));
  // The length of a scan is that of its sequences: one stays in any case.
  if (!isUsed.slice(carries, carries + sequences).includes(true)) isUsed[carries] = true;
  const inputs = body.inputs.flatMap((_input, i) => (isUsed[i] === true ? [i] : []));
  if (inputs.length === body.inputs.length && outputs.length === body.outputs.length) return undefined;
  const before = (list: readonly number[], end: number): number => list.filter((i) => i < end).length;
  const kept = before(inputs, carries);
  return {
    params: {
      ...params,
      body: { inputs: inputs.map((i) => body.inputs[i]!), outputs: outputs.map((i) => body.outputs[i]!) },
      carries: kept,
      sequences: before(inputs, carries + sequences) - kept,
    },
    inputs,
    outputs,
  };
}

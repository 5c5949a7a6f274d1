import { invalidInput } from '@crucible/foundation';
import { Graph, type Program } from '../../ir/graph.ts';
import type { PrimitiveParams } from '../../ir/primitive.ts';
import { copyNodes, dependents, inlineProgram } from '../../ir/subprogram.ts';
import { isPrimitive, type Tensor } from '../../ir/tensor.ts';
import { full, zerosLike } from '../../library/creation.ts';
import { add } from '../../library/elementwise.ts';
import type { ControlContext, ControlRules, Pullback } from '../rule.ts';

export const controlGradients: ControlRules = {
  scan: scanBackwards,

  whileLoop: () => {
    throw invalidInput('gradient: a whileLoop has none, its steps are not known; use loop or scan with a fixed number');
  },

  // The gradient of the program that is taken, which works out again what that one computed
  branch: (y, dys, { wanted, pullback }) => {
    const { then, otherwise } = y.params;
    const by = wantedFloats(y, wanted).map((i) => i - 1);
    if (by.length === 0) return [];
    const params = { then: backwards(then, dys, by, pullback), otherwise: backwards(otherwise, dys, by, pullback) };
    const branch = y.graph.node('branch', [...y.inputs, ...dys.filter((dy) => dy !== undefined)], params);
    return y.inputs.map((_input, i) => partAt(branch, by.indexOf(i - 1)));
  },

  // What the block computed is worked out again from what it read, behind the gradient of its results: the barriers keep
  // it from being one with the first time, and from coming too early.
  checkpoint: (y, dys, { wanted, pullback }) => {
    const results = y.parts!.map((_type, i) => partAt(y, i)!);
    const token = [...dys, ...results].find((tensor) => tensor && isToken(tensor));
    const isHidden = needsBarrier(y);
    const again = y.inputs.map((input, i) =>
      token && isHidden[i] === true ? y.graph.node('barrier', [input, token], {}) : input,
    );
    const by = wantedFloats(y, wanted);
    const program = backwards(y.params.body, dys, by, pullback);
    const found = inlineProgram(program, [...again, ...dys.filter((dy) => dy !== undefined)], y.graph);
    return y.inputs.map((_input, i) => found[by.indexOf(i)]);
  },

  customGradient: (y, dys) => {
    const { results, operands, backward } = y.params;
    const gradients = y.inputs
      .slice(0, results)
      .flatMap((result, i) => (result.dtype === 'float32' ? [dys[i] ?? zerosLike(result)] : []));
    const found = inlineProgram(backward, [...gradients, ...y.inputs.slice(results + operands)], y.graph);
    let next = 0;
    return y.inputs.map((input, i) =>
      i >= results && i < results + operands && input.dtype === 'float32' ? found[next++] : undefined,
    );
  },
};

/** The program that takes the inputs of another and the gradients that there are of its results to those by some inputs. */
function backwards(
  { inputs, outputs }: Program,
  dys: readonly (Tensor | undefined)[],
  by: readonly number[],
  pullback: Pullback,
): Program {
  const gradients = outputs.map((output, i) => (dys[i] ? output.graph.placeholder(output) : undefined));
  const targets = by.map((i) => inputs[i]!);
  const found = pullback(outputs, gradients, targets);
  return {
    inputs: [...inputs, ...gradients.filter((gradient) => gradient !== undefined)],
    outputs: targets.map((target, i) => found[i] ?? zerosLike(target)),
  };
}

function wantedFloats({ inputs }: Tensor, wanted: readonly boolean[]): number[] {
  return inputs.flatMap((input, i) => (input.dtype === 'float32' && wanted[i] === true ? [i] : []));
}

/**
 * Which inputs a block is to read anew. Leaves live as long as the program runs, whether or not they are read again; a
 * barrier would copy them. Where all are leaves one has to be hidden for the block to be worked out again at all.
 */
function needsBarrier({ inputs }: Tensor): boolean[] {
  const isFloat = inputs.map(({ dtype }) => dtype === 'float32');
  const isComputed = inputs.map((input, i) => isFloat[i] === true && !isPrimitive(input, 'input'));
  return isComputed.includes(true) ? isComputed : isFloat;
}

/** Whether it holds a value that is known only when the program runs. */
function isToken(tensor: Tensor): boolean {
  return tensor.dtype === 'float32' && !tensor.shape.includes(0) && !isFilled(tensor);
}

function isFilled(tensor: Tensor): boolean {
  return isPrimitive(tensor, 'constant') || (isPrimitive(tensor, 'broadcast') && isFilled(tensor.inputs[0]!));
}

function partAt(several: Tensor, index: number): Tensor | undefined {
  return index === -1 ? undefined : several.graph.node('part', [several], { index });
}

/**
 * A scan the other way, which carries the gradient by the carry and the sums of those by what is captured. What a step
 * of it needs of the same step forwards are its sequences: outputs that the scan forwards gets besides. That scan takes
 * the place of the one that is there (see merge-scans), so no step is done twice.
 */
function scanBackwards(
  y: Tensor<'scan'>,
  dys: readonly (Tensor | undefined)[],
  { wanted, pullback }: ControlContext,
): readonly (Tensor | undefined)[] {
  const { body, carries, sequences, length, reverse, recompute } = y.params;
  const graph = body.outputs[0]!.graph;
  const firstCaptured = carries + sequences;

  // One step backwards, in the graph of the body
  const ofCarry = body.outputs
    .slice(0, carries)
    .map(({ dtype, shape }) => (dtype === 'float32' ? graph.placeholder({ shape, dtype }) : undefined));
  const ofOutputs = body.outputs
    .slice(carries)
    .map(({ shape }, i) => (dys[carries + i] ? graph.placeholder({ shape, dtype: 'float32' }) : undefined));
  const isTarget = (input: Tensor, i: number): boolean =>
    input.dtype === 'float32' && (i < carries || wanted[i] === true);
  const targets = body.inputs.filter(isTarget);
  const found = pullback(body.outputs, [...ofCarry, ...ofOutputs], targets);
  const byInput = new Map<Tensor, Tensor | undefined>(targets.map((target, i) => [target, found[i]]));

  const carried = body.inputs.slice(0, carries).flatMap((input, i) => {
    const from = ofCarry[i];
    return from
      ? [{ input: from, output: byInput.get(input) ?? zerosLike(input), initial: dys[i] ?? zeros(y, input) }]
      : [];
  });
  const summed = body.inputs.slice(firstCaptured).flatMap((input) => {
    const step = byInput.get(input);
    if (step === undefined) return [];
    const sum = graph.placeholder(input);
    return [{ input: sum, output: add(sum, step), initial: zeros(y, input), of: input }];
  });
  const elements = body.inputs.slice(carries, firstCaptured).flatMap((input) => {
    const output = byInput.get(input);
    return output ? [{ of: input, output }] : [];
  });
  const outputs = [...carried, ...summed, ...elements].map(({ output }) => output);

  const given = [...[...carried, ...summed].map(({ input }) => input), ...ofOutputs.filter((dy) => dy !== undefined)];
  const { kept, read, invariant } = neededForwards(outputs, given, y.params);

  // Forwards once more, with what is kept as outputs
  const missing = kept.filter((tensor) => !body.outputs.includes(tensor, carries));
  const forwardBody: Program = { inputs: body.inputs, outputs: [...body.outputs, ...missing] };
  const forwards = missing.length === 0 ? y : y.graph.node('scan', y.inputs, { ...y.params, body: forwardBody });
  const keptOf = (tensor: Tensor): Tensor => partAt(forwards, forwardBody.outputs.indexOf(tensor, carries))!;

  const outer = inlineProgram({ inputs: body.inputs, outputs: invariant }, y.inputs, y.graph);
  const rows = [
    ...kept.map((tensor) => ({ inner: tensor, outer: keptOf(tensor) })),
    ...read.map((inner) => ({ inner, outer: y.inputs[body.inputs.indexOf(inner)]! })),
    ...ofOutputs.flatMap((inner, i) => (inner ? [{ inner, outer: dys[carries + i]! }] : [])),
  ];
  // A scan has as many steps as its sequences have elements: without one it would not know.
  if (rows.length === 0) rows.push({ inner: body.inputs[carries]!, outer: y.inputs[carries]! });
  const backBody = closedOver(outputs, [
    ...[...carried, ...summed].map(({ input }) => input),
    ...rows.map(({ inner }) => inner),
    ...invariant,
  ]);
  const backwards = y.graph.node(
    'scan',
    [...[...carried, ...summed].map(({ initial }) => initial), ...rows.map((row) => row.outer), ...outer],
    {
      body: backBody,
      carries: carried.length + summed.length,
      sequences: rows.length,
      length,
      reverse: !reverse,
      recompute,
    },
  );
  return body.inputs.map((input, i) => {
    if (i < carries)
      return partAt(
        backwards,
        carried.findIndex((entry) => entry.input === ofCarry[i]),
      );
    const among = i < firstCaptured ? elements : summed;
    const before = carried.length + (i < firstCaptured ? summed.length : 0);
    const at = among.findIndex((entry) => entry.of === input);
    return at === -1 ? undefined : partAt(backwards, before + at);
  });
}

/**
 * What a step backwards needs of the step forwards: results that are kept, elements of sequences that are read again,
 * and what is the same in all steps. `given` are the inputs that only the step backwards has.
 */
function neededForwards(
  outputs: readonly Tensor[],
  given: readonly Tensor<'input'>[],
  { body, carries, sequences, recompute }: PrimitiveParams['scan'],
): { kept: Tensor[]; read: Tensor<'input'>[]; invariant: Tensor[] } {
  const isBackward = dependents(outputs, given);
  const varies = dependents(outputs, body.inputs.slice(0, carries + sequences));
  const isSame = dependents(outputs, body.inputs.slice(carries + sequences));
  const found = { kept: [] as Tensor[], read: [] as Tensor<'input'>[], invariant: [] as Tensor[] };
  const seen = new Set<Tensor>(given);
  const open = [...outputs];
  for (let tensor = open.pop(); tensor !== undefined; tensor = open.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    if (isBackward.has(tensor)) open.push(...tensor.inputs);
    else if (!varies.has(tensor)) {
      if (isSame.has(tensor)) found.invariant.push(tensor);
    } else if (isPrimitive(tensor, 'input')) {
      if (body.inputs.indexOf(tensor) < carries) found.kept.push(tensor);
      else found.read.push(tensor);
    } else if (recompute || tensor.parts || isView(tensor)) open.push(...tensor.inputs);
    else found.kept.push(tensor);
  }
  return found;
}

/** The program of some nodes in a graph of its own, with others of them as its inputs. */
function closedOver(outputs: readonly Tensor[], inputs: readonly Tensor[]): Program {
  const graph = new Graph();
  const made = inputs.map((input, i) => graph.input(`p${i}`, input.shape, input.dtype));
  return { inputs: made, outputs: copyNodes(outputs, new Map(inputs.map((input, i) => [input, made[i]!])), graph) };
}

/** Costs nothing to do again. */
function isView(tensor: Tensor): boolean {
  return isPrimitive(tensor, 'broadcast') || isPrimitive(tensor, 'reshape') || isPrimitive(tensor, 'stopGradient');
}

function zeros(y: Tensor, { shape }: Tensor): Tensor {
  return full(y.graph, shape, 0);
}

/** Programs within a program: how their parts are cut out of the graph that they were traced in, and put back. */
import { Graph, type Program, topologicalOrder } from './graph.ts';
import { isPrimitive, type Tensor } from './tensor.ts';

/** Copies nodes into a graph, with others in the place of some. */
export function copyNodes(outputs: readonly Tensor[], replaced: Map<Tensor, Tensor>, graph: Graph): Tensor[] {
  for (const tensor of topologicalOrder(outputs, replaced)) {
    const inputs = tensor.inputs.map((input) => replaced.get(input)!);
    replaced.set(tensor, graph.node(tensor.primitive, inputs, tensor.params));
  }
  return outputs.map((output) => replaced.get(output)!);
}

/** The outputs of a program for the given inputs, as nodes among theirs. */
export function inlineProgram(program: Program, inputs: readonly Tensor[], graph: Graph): Tensor[] {
  return copyNodes(program.outputs, new Map(program.inputs.map((input, i) => [input, inputs[i]!])), graph);
}

export interface ClosedProgram {
  /** In a graph of its own. Its inputs are the placeholders, then what is captured. */
  readonly program: Program;
  /** What it needs of the program around it. */
  readonly captured: readonly Tensor[];
}

/**
 * Cuts a program out of the graph that it was traced in. `belongs` says which nodes belong to it; the values of others
 * that these need are captured, constants copied.
 */
export function closeProgram(
  outputs: readonly Tensor[],
  placeholders: readonly Tensor[],
  belongs: (tensor: Tensor) => boolean,
): ClosedProgram {
  // One of several results is where its node is.
  const isInside = (tensor: Tensor): boolean => belongs(isPrimitive(tensor, 'part') ? tensor.inputs[0]! : tensor);
  const graph = new Graph();
  const replaced = new Map<Tensor, Tensor>();
  const inputs = placeholders.map((placeholder, i) => graph.input(`p${i}`, placeholder.shape, placeholder.dtype));
  placeholders.forEach((placeholder, i) => replaced.set(placeholder, inputs[i]!));
  const captured: Tensor[] = [];
  const isOutside = { has: (tensor: Tensor) => replaced.has(tensor) || !isInside(tensor) };
  const bring = (tensor: Tensor): void => {
    if (replaced.has(tensor) || isInside(tensor)) return;
    if (isPrimitive(tensor, 'constant')) {
      replaced.set(tensor, graph.node('constant', [], tensor.params));
      return;
    }
    const input = graph.input(`c${captured.length}`, tensor.shape, tensor.dtype);
    captured.push(tensor);
    inputs.push(input);
    replaced.set(tensor, input);
  };
  outputs.forEach(bring);
  for (const tensor of topologicalOrder(outputs, isOutside)) tensor.inputs.forEach(bring);
  return { program: { inputs, outputs: copyNodes(outputs, replaced, graph) }, captured };
}

/** The nodes that depend on one of several, among those that the outputs need. */
export function dependents(outputs: readonly Tensor[], on: Iterable<Tensor>): Set<Tensor> {
  const found = new Set<Tensor>(on);
  const first = Math.min(...Array.from(found, (tensor) => tensor.id));
  // An older node depends on none of them.
  const order = topologicalOrder(outputs, { has: (tensor) => tensor.id < first });
  for (const tensor of order) if (tensor.inputs.some((input) => found.has(input))) found.add(tensor);
  return found;
}

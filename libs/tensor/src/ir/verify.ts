import { programsWithin, type Program, topologicalOrder } from './graph.ts';
import { inferType } from './infer-type.ts';
import { printType } from './print.ts';
import { isPrimitive, type Tensor, typesEqual } from './tensor.ts';

/**
 * Checks a program between passes: every node's type is what its rule says, nodes are made before they are used,
 * every input that is used is declared, and names are unique. `after` names the pass in the error.
 */
export function verifyProgram(program: Program, after: string): void {
  const fail = (tensor: Tensor, what: string): never => {
    throw new Error(`internal: after ${after}: node ${tensor.id} ${tensor.primitive}: ${what}`);
  };
  const declared = new Set<Tensor>(program.inputs);
  const names = new Set(program.inputs.map((input) => input.params.name));
  if (names.size !== program.inputs.length) throw new Error(`internal: after ${after}: two inputs have one name`);
  for (const tensor of topologicalOrder(program.outputs)) {
    if (isPrimitive(tensor, 'input') && !declared.has(tensor))
      fail(tensor, `input ${tensor.params.name} is not declared`);
    for (const input of tensor.inputs) {
      if (input.graph !== tensor.graph) fail(tensor, `input ${input.id} is of another graph`);
      if (input.id >= tensor.id) fail(tensor, `uses ${input.id}, which was made later`);
    }
    const type = inferType(tensor.primitive, tensor.inputs, tensor.params);
    if (!typesEqual(type, tensor)) fail(tensor, `says ${printType(tensor)}, but its rule says ${printType(type)}`);
    for (const within of programsWithin(tensor)) verifyProgram(within, `${after}, within ${tensor.primitive}`);
  }
}

/**
 * Which results may be written over an input while the program still runs. A result is written by its own node; whoever
 * reads the input must have done so by then, or be that node and read each element before it writes it. ONNX Runtime
 * orders nodes by what they need alone, and fuses neighbours; so every reader has to be one that the result needs, and
 * one that reads element by element or copies, which stays true of what it is fused with.
 */
import { type Program, topologicalOrder } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { sizeOf } from '../shape.ts';

/** Operators that may hand on their input's memory as their result. */
const views: ReadonlySet<Primitive> = new Set([
  'reshape',
  'transpose',
  'broadcast',
  'cast',
  'stopGradient',
  'part',
  'barrier',
]);

const elementwise: ReadonlySet<Primitive> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'sqrt',
  'maximum',
  'minimum',
  'where',
]);

/** What may write a result in the memory of an input. */
const writers: ReadonlySet<Primitive> = new Set([...elementwise, 'slice', 'reshape']);

export function overwritable(
  { outputs }: Program,
  pairs: readonly { readonly input: Tensor; readonly output: Tensor }[],
): boolean[] {
  const users = new Map<Tensor, Tensor[]>();
  for (const tensor of topologicalOrder(outputs)) {
    for (const input of new Set(tensor.inputs)) users.set(input, [...(users.get(input) ?? []), tensor]);
  }
  const results = new Set(outputs);
  return pairs.map(({ input, output }) => {
    if (input === output) return true;
    if (!writers.has(output.primitive)) return false;
    const needed = new Set(topologicalOrder([output]));
    const isReadInTime = (memory: Tensor): boolean =>
      !results.has(memory) &&
      (users.get(memory) ?? []).every((user) => {
        if (!needed.has(user)) return false;
        if (views.has(user.primitive) && user !== output) return isReadInTime(user);
        const isWhole = sizeOf(user.shape) === sizeOf(input.shape);
        return user.primitive === 'concat' || (elementwise.has(user.primitive) && isWhole);
      });
    return isReadInTime(input);
  });
}

import { type Program, countUses, topologicalOrder } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';

/**
 * A local rule: given a node (its inputs already rewritten), an equal and cheaper node, or undefined to keep it.
 * `uses` counts the readers of a node before the pass.
 */
export type RewriteRule = (tensor: Tensor, uses: (tensor: Tensor) => number) => Tensor | undefined;

/** The first of several rules that has something better. */
export function firstOf(...rules: readonly RewriteRule[]): RewriteRule {
  return (tensor, uses) => {
    for (const rule of rules) {
      const better = rule(tensor, uses);
      if (better && better !== tensor) return better;
    }
    return undefined;
  };
}

/** Makes a program anew: `change` may give another node for one, whose inputs are already changed. */
export function rebuild(
  program: Program,
  change: (tensor: Tensor, inputs: readonly Tensor[]) => Tensor | undefined,
): Program {
  const replaced = new Map<Tensor, Tensor>();
  for (const tensor of topologicalOrder(program.outputs)) {
    const inputs = tensor.inputs.map((input) => replaced.get(input)!);
    const same = inputs.every((input, i) => input === tensor.inputs[i]);
    const changed = change(tensor, inputs);
    replaced.set(tensor, changed ?? (same ? tensor : tensor.graph.node(tensor.primitive, inputs, tensor.params)));
  }
  return { inputs: program.inputs, outputs: program.outputs.map((output) => replaced.get(output)!) };
}

/** Applies a rule once to every node, inputs before users. */
function rewriteOnce(program: Program, rule: RewriteRule): Program {
  const counts = countUses(program.outputs);
  const replaced = new Map<Tensor, Tensor>();
  const uses = (tensor: Tensor): number => counts.get(tensor) ?? 1;
  for (const tensor of topologicalOrder(program.outputs)) {
    const inputs = tensor.inputs.map((input) => replaced.get(input)!);
    const same = inputs.every((input, i) => input === tensor.inputs[i]);
    const rebuilt = same ? tensor : tensor.graph.node(tensor.primitive, inputs, tensor.params);
    const better = rule(rebuilt, uses);
    if (rebuilt !== tensor) counts.set(rebuilt, Math.max(counts.get(rebuilt) ?? 0, counts.get(tensor) ?? 1));
    if (better && better !== rebuilt) counts.set(better, Math.max(counts.get(better) ?? 0, counts.get(tensor) ?? 1));
    replaced.set(tensor, better ?? rebuilt);
  }
  return { inputs: program.inputs, outputs: program.outputs.map((output) => replaced.get(output)!) };
}

/** Applies a rule until nothing changes. */
export function rewriteToFixpoint(program: Program, rule: RewriteRule): Program {
  for (let round = 0; round < 100; round++) {
    const next = rewriteOnce(program, rule);
    if (next.outputs.every((output, i) => output === program.outputs[i])) return next;
    program = next;
  }
  throw new Error('internal: a rewrite does not come to rest');
}

/** One optimizer for several parts that have nothing to do with each other: each is clipped and moved by itself. */
import type { NdArray, Tensor } from '@crucible/tensor';
import type { Optimizer, OptimizerState } from './optimizer.ts';
import type { TensorTree } from './tree.ts';

/**
 * The parameters are an object whose entries are the parts; what becomes of one is the same as if it had been trained without
 * the others.
 */
export function partedOptimizer(optimizer: Optimizer): Optimizer {
  const named = <Leaf>(part: string, state: OptimizerState<Leaf>) =>
    Object.entries(state).map(([path, moments]) => [`${part}.${path}`, moments] as const);
  return {
    init: (parameters) =>
      Object.fromEntries(partsOf(parameters).flatMap(([part, own]) => named<NdArray>(part, optimizer.init(own)))),
    // A part is clipped by its own norm, so none is updated without the whole of it.
    elementRule: () => undefined,
    update: (parameters, gradients, state, { rate, step, factor }) => {
      const scalars = { rate, step, ...(factor && { factor }) };
      const gradientsOf = new Map(partsOf(gradients));
      const updated = partsOf(parameters).map(([part, own]) => {
        const before = Object.entries(state).flatMap(([path, moments]) =>
          path.startsWith(`${part}.`) ? [[path.slice(part.length + 1), moments] as const] : [],
        );
        const next = optimizer.update(own, gradientsOf.get(part)!, Object.fromEntries(before), scalars);
        return { part, ...next };
      });
      return {
        parameters: Object.fromEntries(updated.map(({ part, parameters: own }) => [part, own])) as typeof parameters,
        state: Object.fromEntries(updated.flatMap(({ part, state: own }) => named<Tensor>(part, own))),
      };
    },
  };
}

function partsOf(tree: object): [string, TensorTree][] {
  return Object.entries(tree) as [string, TensorTree][];
}

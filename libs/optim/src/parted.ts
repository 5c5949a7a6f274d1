/** One optimizer for several parts that have nothing to do with each other: each is clipped and moved by itself. */
import { add, type NdArray, sqrt, square, type Tensor } from '@crucible/tensor';
import type { Optimizer, OptimizerState } from './optimizer.ts';
import type { TensorTree } from './tree.ts';

/**
 * The parameters are an object whose entries are the parts; what becomes of one is the same as if it had been trained without
 * the others. The norm is that of all gradients.
 */
export function partedOptimizer(optimizer: Optimizer): Optimizer {
  const named = <Leaf>(part: string, state: OptimizerState<Leaf>) =>
    Object.entries(state).map(([path, moments]) => [`${part}.${path}`, moments] as const);
  return {
    init: (parameters) =>
      Object.fromEntries(
        partsOf(parameters).flatMap(([part, own]) => named<NdArray>(part, optimizer.init(own))),
      ) as OptimizerState<NdArray>,
    update: (parameters, gradients, state, scalars) => {
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
        norm: sqrt(updated.map(({ norm }) => square(norm)).reduce((sum, each) => add(sum, each))),
      };
    },
  };
}

function partsOf(tree: object): [string, TensorTree][] {
  return Object.entries(tree) as [string, TensorTree][];
}

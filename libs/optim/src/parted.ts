/** One optimizer for several parts that have nothing to do with each other: each is clipped and moved by itself. */
import { flatten, isTensor, type NdArray, type Tensor } from '@crucible/tensor';
import type { Optimizer, OptimizerState } from './optimizer.ts';
import { leavesOf, withLeaves } from './tree.ts';

/**
 * The parameters are an object whose entries are the parts; what becomes of one is the same as if it had been trained without
 * the others.
 */
export function partedOptimizer(optimizer: Optimizer): Optimizer {
  return {
    init: (parameters) =>
      Object.fromEntries(
        Object.entries(parameters).flatMap(([part, own]) =>
          Object.entries<OptimizerState<NdArray>[string]>(optimizer.init(own as object)).map(
            ([path, moments]) => [`${part}.${path}`, moments] as const,
          ),
        ),
      ),
    // Clipping goes by all of a part.
    elementRule: () => undefined,
    update: (parameters, gradients, state, { rate, step, factor }) => {
      // Without the norm of all gradients: each part has its own.
      const scalars = { rate, step, ...(factor && { factor }) };
      const gradientAt = leavesOf(gradients);
      const stateAt = leavesOf(state);
      const parts = Map.groupBy(flatten(parameters, isTensor), ({ path }) => path.slice(0, path.indexOf('.')));
      const next = new Map<string, Tensor>();
      const states: Record<string, OptimizerState<Tensor>[string]> = {};
      for (const leaves of parts.values()) {
        const of = <T>(value: (path: string, leaf: Tensor) => T): Record<string, T> =>
          Object.fromEntries(leaves.map(({ path, leaf }) => [path, value(path, leaf)]));
        const moved = optimizer.update(
          of((_path, leaf) => leaf),
          of((path) => gradientAt.get(path)!),
          of((path) => momentsAt(stateAt, path)),
          scalars,
        );
        for (const [path, leaf] of Object.entries(moved.parameters)) next.set(path, leaf);
        Object.assign(states, moved.state);
      }
      return { parameters: withLeaves(parameters, (path) => next.get(path)!), state: states };
    },
  };
}

function momentsAt(stateAt: ReadonlyMap<string, Tensor>, path: string): OptimizerState<Tensor>[string] {
  const names = ['momentum', 'first', 'second'].filter((name) => stateAt.has(`${path}.${name}`));
  return Object.fromEntries(
    names.map((name) => [name, stateAt.get(`${path}.${name}`)!]),
  ) as unknown as OptimizerState<Tensor>[string];
}

/** For tests: gradients as a training step works them out, and finite differences to hold them against. */
import type { Optimizer } from '@crucible/optim';
import { flatten, isNdArray } from '@crucible/tensor';
import { type Batch, type LossFunction, type StepResult, TrainStep, type TrainStepOptions } from '../train-step.ts';

/** Puts the gradients in the place of the parameters. */
const showGradients: Optimizer = {
  init: () => ({}),
  update: (_parameters, gradients, state) => ({ parameters: gradients, state }),
  elementRule: () => undefined,
};

export type NamedValues = Readonly<Record<string, Float32Array>>;

/** Loss, metrics and gradients of a batch, or of one in parts. */
export async function lossAndGradients<P extends object, B extends Batch>(
  parameters: P,
  loss: LossFunction<P, B>,
  parts: B | readonly B[],
  options: Pick<TrainStepOptions, 'microBatches'> = {},
): Promise<StepResult & { readonly gradients: NamedValues }> {
  const step = new TrainStep<P, B>(parameters, loss, {
    name: 'gradients',
    optimizer: showGradients,
    threads: 1,
    ...options,
  });
  try {
    return { ...(await step.run(parts, 0)), gradients: valuesOf(step.parameters) };
  } finally {
    await step.dispose();
  }
}

/** The values of a tree of arrays by path. */
export function valuesOf(tree: object): NamedValues {
  return Object.fromEntries(flatten(tree, isNdArray).map(({ path, leaf }) => [path, leaf.data as Float32Array]));
}

/** Central differences of a function of numbers, at float64. */
export function finiteDifferences(f: (x: readonly number[]) => number, at: readonly number[], step = 1e-5): number[] {
  return at.map((_, i) => {
    const moved = (by: number): number => f(at.map((value, j) => (i === j ? value + by : value)));
    return (moved(step) - moved(-step)) / (2 * step);
  });
}

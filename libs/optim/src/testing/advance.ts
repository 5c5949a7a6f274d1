import { compile, type NdArray, scalar } from '@crucible/tensor';
import { globalNorm } from '../clip.ts';
import type { Optimizer, OptimizerState } from '../optimizer.ts';

export interface Progress {
  readonly parameters: object;
  readonly state: OptimizerState<NdArray>;
  /** Global norm of the last step's gradients, before clipping. */
  readonly norm: number;
}

/** Takes one step for each tree of gradients at the rate beside it; `from` is the number of steps made before. */
export async function advance(
  optimizer: Optimizer,
  start: { readonly parameters: object; readonly state: OptimizerState<NdArray> },
  steps: readonly { readonly gradients: object; readonly rate: number }[],
  from = 0,
): Promise<Progress> {
  const program = await compile(
    { ...start, gradients: start.parameters, rate: scalar(0), step: scalar(0) },
    ({ parameters, state, gradients, rate, step }) => {
      return { ...optimizer.update(parameters, gradients, state, { rate, step }), norm: globalNorm(gradients) };
    },
    { name: 'optimizer step' },
  );
  try {
    let { parameters, state } = start;
    let norm = NaN;
    for (const [i, { gradients, rate }] of steps.entries()) {
      const next = await program.run({
        parameters,
        state,
        gradients,
        rate: scalar(rate),
        step: scalar(from + i + 1),
      });
      ({ parameters, state } = next);
      norm = next.norm.data[0]!;
    }
    return { parameters, state, norm };
  } finally {
    await program.dispose();
  }
}

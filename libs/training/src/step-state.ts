/** What a checkpoint of a stage with one training step holds. */
import type { OptimizerState } from '@crucible/optim';
import type { NdArray } from '@crucible/tensor';
import type { SavedStage } from './stage-checkpoint.ts';
import type { Batch, Resumed, TrainStep } from './train-step.ts';

export async function stepState<P extends object>(
  training: Pick<TrainStep<P, Batch>, 'lent' | 'steps'>,
  settings: object,
): Promise<SavedStage> {
  const { parameters, state, lossScale } = await training.lent();
  return {
    step: training.steps,
    record: { settings, ...(lossScale !== undefined && { lossScale }) },
    trees: { parameters, optimizer: state },
  };
}

export function resumedFrom(saved: SavedStage | undefined): Resumed | undefined {
  if (!saved) return undefined;
  const lossScale = saved.record['lossScale'] as number | undefined;
  return {
    state: saved.trees['optimizer'] as OptimizerState<NdArray>,
    steps: saved.step,
    ...(lossScale !== undefined && { lossScale }),
  };
}

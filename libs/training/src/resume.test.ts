import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import type { StageContext, StageName, StageProgress } from './stage.ts';
import { StageCheckpoint } from './stage-checkpoint.ts';
import { valuesOf } from './testing/gradients.ts';
import { runTinyStage } from './testing/tiny-stages.ts';

/** A stage's last report, and the context that asks for it; without the figures that are times. */
function lastReport(): { readonly report: NonNullable<StageContext<never>['report']>; readonly last: () => unknown } {
  let last: StageProgress | undefined;
  return {
    report: (progress) => (last = progress),
    last: () => {
      const metrics = Object.entries(last!.metrics).filter(([name]) => !/^time\/|_per_s$/.test(name));
      return { ...last, metrics: Object.fromEntries(metrics) };
    },
  };
}

/** Runs a stage that is cancelled in the midst of each of these steps, and goes on from its checkpoint. */
async function runWithInterruptions(stage: StageName, steps: readonly number[], checkpoint: StageCheckpoint) {
  for (const last of steps) {
    const abort = new AbortController();
    const context = { checkpoint, checkpointSeconds: 0, signal: abort.signal };
    const run = runTinyStage(stage, context, { onStep: (n) => n === last && abort.abort() });
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
  }
  const begun: number[] = [];
  const { report, last } = lastReport();
  const context = { checkpoint, checkpointSeconds: 0, report };
  const weights = await runTinyStage(stage, context, { onStep: (n) => begun.push(n) });
  return { weights, begun, figures: last() };
}

describe.each<{ stage: StageName; interruptions: number[]; begun: number[] }>([
  { stage: 'pretrain', interruptions: [0, 2, 3], begun: [4, 5] },
  { stage: 'mlm', interruptions: [0, 2, 3], begun: [4, 5] },
  { stage: 'sft', interruptions: [0, 2, 3], begun: [4, 5] },
  { stage: 'reward', interruptions: [0, 2, 3], begun: [4, 5] },
  // An iteration that is cancelled after its rollout begins anew.
  { stage: 'ppo', interruptions: [0, 2], begun: [2, 3] },
])('a resumed $stage run', ({ stage, interruptions, begun: expected }) => {
  it('equals an uninterrupted one bit for bit', async () => {
    const { report, last } = lastReport();
    const whole = await runTinyStage(stage, { report });
    const checkpoint = new StageCheckpoint(join(temporaryFolder(), stage));
    const { weights, begun, figures } = await runWithInterruptions(stage, interruptions, checkpoint);
    expect(begun).toEqual(expected);
    const [resumed, uninterrupted] = [valuesOf(weights), valuesOf(whole)];
    expect(Object.keys(resumed).length).toBeGreaterThan(10);
    expect(resumed).toEqual(uninterrupted);
    expect(figures).toEqual(last());
    expect(readdirSync(checkpoint.folder)).toHaveLength(1);
  });

  it('makes no further step when all have been made, and tells the same figures', async () => {
    const checkpoint = new StageCheckpoint(temporaryFolder());
    const first = lastReport();
    const whole = await runTinyStage(stage, { checkpoint, report: first.report });
    const begun: number[] = [];
    const second = lastReport();
    const again = await runTinyStage(stage, { checkpoint, report: second.report }, { onStep: (n) => begun.push(n) });
    expect(begun).toEqual([]);
    expect(valuesOf(again)).toEqual(valuesOf(whole));
    const metric = stage === 'ppo' ? 'objective/kl' : 'loss';
    expect(second.last()).toMatchObject({ stage, metrics: { [metric]: expect.any(Number) as number } });
    expect(second.last()).toEqual(first.last());
  });
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import type { StageName } from './stage.ts';
import { StageCheckpoint } from './stage-checkpoint.ts';
import { valuesOf } from './testing/gradients.ts';
import { runTinyStage } from './testing/tiny-stages.ts';

/** Runs a stage that is cancelled in the midst of each of these steps, and goes on from its checkpoint. */
async function runWithInterruptions(stage: StageName, steps: readonly number[], checkpoint: StageCheckpoint) {
  for (const last of steps) {
    const abort = new AbortController();
    const context = { checkpoint, checkpointSeconds: 0, signal: abort.signal };
    const run = runTinyStage(stage, context, { onStep: (n) => n === last && abort.abort() });
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
  }
  const begun: number[] = [];
  const weights = await runTinyStage(stage, { checkpoint, checkpointSeconds: 0 }, { onStep: (n) => begun.push(n) });
  return { weights, begun };
}

describe.each<{ stage: StageName; interruptions: number[]; begun: number[] }>([
  { stage: 'pretrain', interruptions: [0, 2, 3], begun: [4, 5] },
  { stage: 'sft', interruptions: [0, 2, 3], begun: [4, 5] },
  { stage: 'reward', interruptions: [0, 2, 3], begun: [4, 5] },
  // An iteration that is cancelled after its rollout begins anew.
  { stage: 'ppo', interruptions: [0, 2], begun: [2, 3] },
])('a resumed $stage run', ({ stage, interruptions, begun: expected }) => {
  it('equals an uninterrupted one bit for bit', async () => {
    const whole = await runTinyStage(stage, {});
    const checkpoint = new StageCheckpoint(join(temporaryFolder(), stage));
    const { weights, begun } = await runWithInterruptions(stage, interruptions, checkpoint);
    expect(begun).toEqual(expected);
    const [resumed, uninterrupted] = [valuesOf(weights), valuesOf(whole)];
    expect(Object.keys(resumed).length).toBeGreaterThan(10);
    expect(resumed).toEqual(uninterrupted);
    expect(readdirSync(checkpoint.folder)).toHaveLength(1);
  });

  it('makes no further step when all have been made', async () => {
    const checkpoint = new StageCheckpoint(temporaryFolder());
    const whole = await runTinyStage(stage, { checkpoint });
    const begun: number[] = [];
    const again = await runTinyStage(stage, { checkpoint }, { onStep: (n) => begun.push(n) });
    expect(begun).toEqual([]);
    expect(valuesOf(again)).toEqual(valuesOf(whole));
  });
});

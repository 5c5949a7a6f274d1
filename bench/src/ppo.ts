/**
 * Where PPO's time goes, and how many answers it learns from in a second: the last stage of the default forge, after
 * stages that are just long enough for answers that end.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelRegistry } from '@crucible/checkpoint';
import { createWorld } from '@crucible/data';
import { forge, resolvePreset, worldData } from '@crucible/training';
import type { Benchmark } from './benchmark.ts';

/** The first iteration compiles, and is left out. */
const iterations = 9;

const settings = resolvePreset('', {
  pretrain: { steps: 300 },
  sft: { steps: 300 },
  reward: { steps: 60 },
  ppo: { iterations },
});

export const ppo: Benchmark<'samples_per_s' | 'rollout_share' | 'train_share' | 'other_share'> = {
  description: `${iterations - 1} iterations of PPO with ${settings.ppo.samples} answers each, in the default forge`,
  metrics: {
    samples_per_s: { meaning: 'answers sampled, scored and learned from', unit: '1/s' },
    rollout_share: { meaning: 'of the wall time, spent in sampling answers', unit: 'share' },
    train_share: { meaning: 'spent in training steps of policy and value network', unit: 'share' },
    other_share: { meaning: 'spent in scores, values and reference, evaluation, publishing and saving', unit: 'share' },
  },
  run: async (report) => {
    const home = mkdtempSync(join(tmpdir(), 'crucible-bench-ppo-'));
    const spent = { rollout: 0, training: 0 };
    let [start, end] = [0, 0];
    try {
      await forge({
        name: 'bench',
        seed: 1,
        settings,
        data: worldData(createWorld({ seed: 1 })),
        registry: new ModelRegistry(join(home, 'models')),
        folder: join(home, 'job'),
        observe: ({ stage, step, metrics }) => {
          if (step % 50 === 0) report(`${stage}, step ${step}`);
          if (stage !== 'ppo') return;
          end = performance.now();
          if (step === 1) start = end;
          else {
            spent.rollout += metrics['time/rollout']!;
            spent.training += metrics['time/training']!;
          }
        },
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
    const wall = (end - start) / 1000;
    const [rollout_share, train_share] = [spent.rollout / wall, spent.training / wall];
    return {
      samples_per_s: ((iterations - 1) * settings.ppo.samples) / wall,
      rollout_share,
      train_share,
      other_share: 1 - rollout_share - train_share,
    };
  },
};

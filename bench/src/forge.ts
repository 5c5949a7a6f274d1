/** The default forge, as `npm start` runs it: all four stages on the built-in world, and what came of it. */
import { ModelRegistry } from '@crucible/checkpoint';
import { createWorld } from '@crucible/data';
import { forge as runForge, resolvePreset, worldData } from '@crucible/training';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.ts';

export const forge: Benchmark<
  'minutes' | 'exact_a' | 'exact_b' | 'exact_d' | 'rm_pair_accuracy' | 'reward_gain' | 'verifier_gain' | 'kl'
> = {
  description: 'the default forge on the built-in world; CRUCIBLE_SEED is its seed (default: 1)',
  metrics: {
    minutes: { meaning: 'tokenizer, four stages and their measurement', unit: 'min' },
    exact_a: { meaning: 'held-out questions that the pre-trained model answers right', unit: 'share' },
    exact_b: { meaning: 'the same after fine-tuning', unit: 'share' },
    exact_d: { meaning: 'the same after reinforcement learning', unit: 'share' },
    rm_pair_accuracy: { meaning: 'held-out pairs of answers that the reward model puts in order', unit: 'share' },
    reward_gain: { meaning: "mean reward of D's answers above B's", unit: 'deviations' },
    verifier_gain: { meaning: "mean score that the verifier gives D's answers above B's", unit: '0 to 1' },
    kl: { meaning: 'divergence of D from B in the last iteration', unit: 'nats an answer' },
  },
  run: async (report) => {
    const seed = Number(process.env['CRUCIBLE_SEED'] ?? 1);
    const home = mkdtempSync(join(tmpdir(), 'crucible-bench-forge-'));
    const start = performance.now();
    const minutes = (): number => (performance.now() - start) / 60_000;
    let reported = '';
    try {
      const { metrics } = await runForge({
        name: 'bench',
        seed,
        settings: resolvePreset(''),
        data: worldData(createWorld({ seed })),
        registry: new ModelRegistry(join(home, 'models')),
        folder: join(home, 'job'),
        report: ({ stage, step, steps, metrics: own }) => {
          const now = `${stage} ${Math.floor((10 * step) / steps)}`;
          if (now === reported || stage === 'tokenizer') return;
          reported = now;
          const figures = Object.entries(own).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
          report(`${minutes().toFixed(2)} min, ${stage} ${step} of ${steps}: ${figures.join(', ')}`);
        },
      });
      const of = (name: string): number | null => metrics[name] ?? null;
      return {
        minutes: minutes(),
        exact_a: of('exact_a'),
        exact_b: of('exact_b'),
        exact_d: of('exact_d'),
        rm_pair_accuracy: of('rm_pair_accuracy'),
        reward_gain: of('reward_gain'),
        verifier_gain: of('verifier_gain'),
        kl: of('kl'),
      };
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
};

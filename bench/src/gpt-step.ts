import { Random } from '@crucible/foundation';
import { createOptimizer } from '@crucible/optim';
import { type FloatArray, type IntArray, ints } from '@crucible/tensor';
import { TrainStep } from '@crucible/training';
import type { Benchmark } from './benchmark.ts';
import { createGpt, type Gpt, lossOf } from './gpt.ts';
import { medianOf } from './median.ts';
import { PyTorchStep } from './pytorch-step.ts';

/** What the peer's script has fixed. */
const shape = { width: 256, layers: 6, heads: 8, time: 256, vocabulary: 4096 };
const batch = 8;

/** Ours and the peer take turns, so that both see the same noise of the machine. */
const rounds = 3;
const stepsPerRound = 6;

/** PyTorch's defaults; no clipping. */
const optimizer = createOptimizer({
  clipNorm: Infinity,
  adamW: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  decays: () => true,
});

export const gptStep: Benchmark<'tokens_per_s' | 'peer_tokens_per_s' | 'ratio' | 'peer'> = {
  description:
    'one AdamW training step of a GPT (d=256, 6 layers, T=256, B=8, vocabulary 4096) against PyTorch, in turns. ' +
    'CRUCIBLE_PEER_PYTHON names the Python that has torch (default: python3)',
  metrics: {
    tokens_per_s: { meaning: 'ours, median over the rounds', unit: 'tokens/s' },
    peer_tokens_per_s: { meaning: "PyTorch's, median over the rounds", unit: 'tokens/s' },
    ratio: { meaning: 'ours through theirs', unit: '' },
    peer: { meaning: 'the peer and its version', unit: '' },
  },
  run: async (report) => {
    const peer = new PyTorchStep(process.env['CRUCIBLE_PEER_PYTHON'] ?? 'python3');
    const missing = await peer.missing();
    const random = Random.seeded(1);
    const training = new TrainStep<Gpt<FloatArray>, Record<'ids' | 'next', IntArray>>(
      createGpt(shape, random),
      (gpt, { ids, next }) => ({
        loss: lossOf(gpt, shape, ids, next),
      }),
      { name: 'gpt-step', optimizer },
    );
    const tokens = (): IntArray =>
      ints(
        [batch, shape.time],
        Int32Array.from({ length: batch * shape.time }, () => random.integer(0, shape.vocabulary - 1)),
      );
    const data = { ids: tokens(), next: tokens() };
    const ours: number[] = [];
    const theirs: number[] = [];
    try {
      for (let round = 1; round <= rounds; round++) {
        ours.push(await tokensPerSecond(() => training.run(data, 3e-4)));
        report(`round ${round} of ${rounds}: ours ${ours.at(-1)!.toFixed(0)} tokens/s`);
        if (missing !== undefined) continue;
        theirs.push(await peer.tokensPerSecond(stepsPerRound));
        report(`round ${round} of ${rounds}: ${peer.name} ${theirs.at(-1)!.toFixed(0)} tokens/s`);
      }
    } finally {
      await training.dispose();
    }
    const tokens_per_s = medianOf(ours);
    if (missing !== undefined) {
      return { tokens_per_s, peer_tokens_per_s: null, ratio: null, peer: null, note: missing };
    }
    const peer_tokens_per_s = medianOf(theirs);
    return { tokens_per_s, peer_tokens_per_s, ratio: tokens_per_s / peer_tokens_per_s, peer: peer.name };
  },
};

/** As the peer counts: two steps to warm up, then the median. */
async function tokensPerSecond(step: () => Promise<unknown>): Promise<number> {
  const seconds: number[] = [];
  for (let i = 0; i < stepsPerRound + 2; i++) {
    const start = performance.now();
    await step();
    if (i >= 2) seconds.push((performance.now() - start) / 1000);
  }
  return (batch * shape.time) / medianOf(seconds);
}

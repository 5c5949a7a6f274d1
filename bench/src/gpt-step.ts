import { Random } from '@crucible/foundation';
import { createOptimizer, globalNorm } from '@crucible/optim';
import { compile, type FloatArray, gradient, type IntArray, ints } from '@crucible/tensor';
import { TrainStep } from '@crucible/training';
import type { Benchmark } from './benchmark.ts';
import { createGpt, type Gpt, lossOf } from './gpt.ts';
import { medianOf } from './median.ts';
import { pyTorch, type StepPeer, tensorFlowJs } from './step-peer.ts';

/** What the peers' scripts have fixed. */
const shape = { width: 256, layers: 6, heads: 8, time: 256, vocabulary: 4096 };
const batch = 8;

/** Ours and the peers take turns, so that all see the same noise of the machine. */
const rounds = 3;
const stepsPerRound = 6;

/** PyTorch's defaults; no clipping. */
const optimizer = createOptimizer({
  clipNorm: Infinity,
  adamW: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  decays: () => true,
});

export const gptStep: Benchmark<
  | 'tokens_per_s'
  | 'peer_tokens_per_s'
  | 'ratio'
  | 'peer'
  | 'ratio_torch2'
  | 'torch2'
  | 'ratio_tfjs'
  | 'tfjs'
  | 'optimizer_share'
> = {
  description:
    'one AdamW training step of a GPT (d=256, 6 layers, T=256, B=8, vocabulary 4096) against peers, in turns. ' +
    'CRUCIBLE_PEER_PYTHON names a Python with torch 1.13 (default: python3), CRUCIBLE_PEER_PYTHON2 one with torch 2, ' +
    'CRUCIBLE_PEER_TFJS a folder with @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm',
  metrics: {
    tokens_per_s: { meaning: 'ours, median over the rounds', unit: 'tokens/s' },
    peer_tokens_per_s: { meaning: "PyTorch's, median over the rounds", unit: 'tokens/s' },
    ratio: { meaning: 'ours through theirs', unit: '' },
    peer: { meaning: 'the peer and its version', unit: '' },
    ratio_torch2: { meaning: "ours through the second PyTorch's", unit: '' },
    torch2: { meaning: 'the second PyTorch', unit: '' },
    ratio_tfjs: { meaning: "ours through TensorFlow.js', of one step", unit: '' },
    tfjs: { meaning: 'its version and backend', unit: '' },
    optimizer_share: { meaning: 'of the step, what a step without update and fetched state does not take', unit: '' },
  },
  run: async (report) => {
    const peers = {
      torch: await ready(pyTorch('CRUCIBLE_PEER_PYTHON', 'python3')),
      torch2: await ready(pyTorch('CRUCIBLE_PEER_PYTHON2')),
      tfjs: await ready(tensorFlowJs('CRUCIBLE_PEER_TFJS')),
    };
    const random = Random.seeded(1);
    const parameters = createGpt(shape, random);
    const tokens = (): IntArray =>
      ints(
        [batch, shape.time],
        Int32Array.from({ length: batch * shape.time }, () => random.integer(0, shape.vocabulary - 1)),
      );
    const data = { ids: tokens(), next: tokens() };
    const training = new TrainStep<Gpt<FloatArray>, Record<'ids' | 'next', IntArray>>(
      parameters,
      (gpt, { ids, next }) => ({ loss: lossOf(gpt, shape, ids, next) }),
      { name: 'gpt-step', optimizer },
    );
    // Forward with its loss and backward alone: the norm needs every gradient, and nothing large is written.
    const backward = await compile({ gpt: parameters, ...data }, ({ gpt, ids, next }) => {
      const loss = lossOf(gpt, shape, ids, next);
      return { loss, norm: globalNorm(gradient(loss, gpt)) };
    });
    const ours: number[] = [];
    const withoutUpdate: number[] = [];
    const theirs = { torch: [] as number[], torch2: [] as number[] };
    try {
      for (let round = 1; round <= rounds; round++) {
        ours.push(await tokensPerSecond(() => training.run(data, 3e-4)));
        withoutUpdate.push(await tokensPerSecond(() => backward.run({ gpt: training.parameters, ...data })));
        report(`round ${round} of ${rounds}: ours ${ours.at(-1)!.toFixed(0)} tokens/s`);
        for (const name of ['torch', 'torch2'] as const) {
          const one = peers[name];
          if (one.missing !== undefined) continue;
          const { peer, tokensPerSecond: rate } = await one.peer.measure(stepsPerRound);
          one.name = peer;
          theirs[name].push(rate);
          report(`round ${round} of ${rounds}: ${peer} ${rate.toFixed(0)} tokens/s`);
        }
      }
    } finally {
      await training.dispose();
      await backward.dispose();
    }
    const tokens_per_s = medianOf(ours);
    const tfjs = peers.tfjs.missing === undefined ? await peers.tfjs.peer.measure(1) : undefined;
    const ratioTo = (rates: readonly number[]): number | null =>
      rates.length === 0 ? null : tokens_per_s / medianOf(rates);
    const missing = Object.entries(peers).flatMap(([name, one]) =>
      one.missing === undefined ? [] : `${name}: ${one.missing}`,
    );
    return {
      tokens_per_s,
      peer_tokens_per_s: theirs.torch.length === 0 ? null : medianOf(theirs.torch),
      ratio: ratioTo(theirs.torch),
      peer: peers.torch.name,
      ratio_torch2: ratioTo(theirs.torch2),
      torch2: peers.torch2.name,
      ratio_tfjs: tfjs ? tokens_per_s / tfjs.tokensPerSecond : null,
      tfjs: tfjs?.peer ?? null,
      optimizer_share: 1 - tokens_per_s / medianOf(withoutUpdate),
      ...(missing.length > 0 && { note: `not measured: ${missing.join('; ')}` }),
    };
  },
};

async function ready(peer: StepPeer): Promise<{ peer: StepPeer; missing: string | undefined; name: string | null }> {
  return { peer, missing: await peer.missing(), name: null };
}

/** As the peers count: two steps to warm up, then the median. */
async function tokensPerSecond(step: () => Promise<unknown>): Promise<number> {
  const seconds: number[] = [];
  for (let i = 0; i < stepsPerRound + 2; i++) {
    const start = performance.now();
    await step();
    if (i >= 2) seconds.push((performance.now() - start) / 1000);
  }
  return (batch * shape.time) / medianOf(seconds);
}

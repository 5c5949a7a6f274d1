import '@crucible/testing';
import { add, flatten, floats, isNdArray, isTensor, mapTree, sum, type Tensor } from '@crucible/tensor';
import { tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { decoderOptimizer, type DecoderOptimizerOptions } from './decoder-optimizer.ts';
import { type NamedValues, valuesOf } from './testing/gradients.ts';
import { TrainStep } from './train-step.ts';

const rate = 0.01;

/** A decoder whose parameters are all 1, after one step at which every gradient is 1. */
async function afterOneStep(
  options: Partial<DecoderOptimizerOptions>,
): Promise<{ readonly values: NamedValues; readonly moments: NamedValues }> {
  const ones = mapTree(tinyLlama(1), isNdArray, ({ shape, data }) =>
    floats(shape, new Float32Array(data.length).fill(1)),
  ) as object;
  const common = { config: tinyLlamaConfig, head: { kind: 'language' }, clipNorm: Infinity, weightDecay: 0 } as const;
  const optimizer = decoderOptimizer({ ...common, ...options });
  const training = new TrainStep(
    ones,
    (parameters) => ({
      loss: flatten(parameters, isTensor)
        .map(({ leaf }) => sum(leaf))
        .reduce((a: Tensor, b) => add(a, b)),
    }),
    { name: 'the optimizer', optimizer },
  );
  try {
    await training.run({}, rate);
    return { values: valuesOf(training.parameters), moments: valuesOf(training.state) };
  } finally {
    await training.dispose();
  }
}

const embedding = 'model.embed_tokens.weight';
const head = 'lm_head.weight';
const norm = 'model.norm.weight';

/** AdamW's first step has the size of the rate. */
async function expectMoves(
  options: Partial<DecoderOptimizerOptions>,
  expected: Readonly<Record<string, number>>,
): Promise<void> {
  const { values } = await afterOneStep(options);
  for (const [path, value] of Object.entries(expected)) {
    expect(values[path], path).toBeAllClose(new Float32Array(values[path]!.length).fill(value));
  }
}

describe('the optimizer of a decoder', () => {
  it('trains the matrices inside it by Muon, and embeddings, head and norms by AdamW', async () => {
    const { moments } = await afterOneStep({});
    const byMuon = Object.keys(moments).flatMap((path) => /^(.*)\.momentum$/.exec(path)?.[1] ?? []);
    const projections = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => `self_attn.${name}`);
    const inner = [...projections, ...['gate_proj', 'up_proj', 'down_proj'].map((name) => `mlp.${name}`)];
    const layers = [...new Set(byMuon.map((path) => path.split('.')[2]!))];
    expect(layers.length).toBeGreaterThan(1);
    expect(byMuon.toSorted()).toEqual(
      layers.flatMap((layer) => inner.map((name) => `model.layers.${layer}.${name}.weight`)).toSorted(),
    );
    for (const path of [embedding, head, norm, 'model.layers.0.input_layernorm.weight']) {
      expect(moments).toHaveProperty([`${path}.first`]);
    }
  });

  it('moves embeddings ten times as far as the rate says, the head less than a third, norms as it says', async () => {
    await expectMoves({}, { [embedding]: 1 - 10 * rate, [head]: 1 - 0.3 * rate, [norm]: 1 - rate });
  });

  it('moves embeddings at the multiple that it is given', async () => {
    await expectMoves({ embeddingRateFactor: 0.1 }, { [embedding]: 1 - 0.1 * rate, [head]: 1 - 0.3 * rate });
  });

  it('moves a matrix that is embedding and head in one at the plain rate', async () => {
    await expectMoves(
      { config: { ...tinyLlamaConfig, tieEmbeddings: true } },
      { [embedding]: 1 - rate, [norm]: 1 - rate },
    );
  });

  it('moves everything by AdamW at the plain rate when it is asked to', async () => {
    const matrix = 'model.layers.1.mlp.up_proj.weight';
    await expectMoves({ optimizer: 'adamw' }, { [embedding]: 1 - rate, [head]: 1 - rate, [matrix]: 1 - rate });
    const { moments } = await afterOneStep({ optimizer: 'adamw' });
    expect(Object.keys(moments).filter((path) => path.endsWith('.momentum'))).toEqual([]);
  });

  it('lets matrices decay at their own rate, and norms not', async () => {
    await expectMoves({ weightDecay: 0.5 }, { [embedding]: 1 - 15 * rate, [head]: 1 - 0.45 * rate, [norm]: 1 - rate });
  });

  it('clips the gradients of all parameters together', async () => {
    const { values, moments } = await afterOneStep({ clipNorm: 0.5 });
    const count = Object.values(values).reduce((total, { length }) => total + length, 0);
    // A tenth of the clipped gradient, after one step.
    const first = moments[`${norm}.first`]!;
    expect(first).toBeAllClose(new Float32Array(first.length).fill((0.1 * 0.5) / Math.sqrt(count)));
  });
});

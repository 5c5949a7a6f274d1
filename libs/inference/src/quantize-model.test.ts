import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { type DecoderConfig, initLanguageModel, type ModelWeights } from '@crucible/nn';
import { flatten, floats, isNdArray, mapTree, type NdArray, treeFromPaths } from '@crucible/tensor';
import { tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GenerationEngine } from './generation-engine.ts';
import { packSequences } from './packing.ts';
import { perplexity, quantizeModel, type QuantizedModel } from './quantize-model.ts';
import { LogProbabilityScorer } from './scorers.ts';

const sizes = {
  vocabularySize: 24,
  hiddenSize: 32,
  intermediateSize: 40,
  layers: 2,
  heads: 4,
  keyValueHeads: 4,
  maxPositions: 96,
};
const gpt2 = { ...sizes, family: 'gpt2', layerNormEpsilon: 1e-5, activation: 'gelu_new', tieEmbeddings: true } as const;
const rotary = { ...sizes, rmsNormEpsilon: 1e-5, ropeTheta: 1e4 };
const configs: Record<string, DecoderConfig> = {
  llama: tinyLlamaConfig,
  qwen2: { ...rotary, family: 'qwen2', tieEmbeddings: true },
  qwen3: { ...rotary, family: 'qwen3', tieEmbeddings: false },
  gpt2,
};

function weightsOf(config: DecoderConfig): ModelWeights {
  if (config === tinyLlamaConfig) return tinyLlama(1);
  const random = Random.seeded(2);
  const fill = ({ shape, data }: NdArray): NdArray => {
    const scale = shape.length === 1 ? 0.2 : 1 / Math.sqrt(shape[1]!);
    return floats(
      shape,
      Float32Array.from(data, () => (shape.length === 1 ? 1 : 0) + scale * random.normal()),
    );
  };
  return mapTree(initLanguageModel(config, random), isNdArray, fill) as ModelWeights;
}

/** The same model with the numbers that few bits stand for, as floats. */
function widened({ weights, quantized }: QuantizedModel, config: DecoderConfig): ModelWeights {
  const leaves = new Map(flatten<NdArray>(weights, isNdArray).map(({ path, leaf }) => [path, leaf]));
  for (const [module, matrix] of quantized) {
    const { rows, columns } = matrix;
    const values = matrix.dequantized();
    if (module === 'lm_head' || config.family !== 'gpt2') {
      leaves.set(`${module}.weight`, floats([rows, columns], values));
      continue;
    }
    const turned = Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
    leaves.set(`${module}.weight`, floats([columns, rows], turned));
  }
  return treeFromPaths(leaves) as ModelWeights;
}

const random = Random.seeded(5);
const text = Array.from({ length: 6 }, () => Int32Array.from({ length: 40 }, () => random.integer(0, 23)));
const common = { bits: 4, headBits: 32, calibration: text } as const;

describe.each(Object.entries(configs))('%s in few bits', (_name, config) => {
  const weights = weightsOf(config);

  it.each(['rtn', 'gptq'] as const)(
    'by %s answers and scores as with the numbers that they stand for',
    async (method) => {
      const made = await quantizeModel(weights, config, { ...common, method });
      expect(made.quantized.size).toBe(config.layers * (config.family === 'gpt2' ? 4 : 7));
      const engine = new GenerationEngine();
      onTestFinished(() => engine.dispose());
      engine.setModel({ ...made, config, version: 1 });
      const prompt = [5, 9, 2, 17, 3];
      const [answer] = await engine.generateAll([
        { prompt, maxTokens: 10, sampling: { temperature: 0 }, stopTokens: [] },
      ]);
      const ids = answer!.tokens.map(({ id }) => id);
      const { packed, places } = packSequences([[...prompt, ...ids]], { time: 32, pad: 0 });
      const at = ids.map((_id, i) => places[0]![prompt.length - 1 + i]!);
      const few = new LogProbabilityScorer(made.weights, config, { quantized: made.quantized });
      const whole = new LogProbabilityScorer(widened(made, config), config);
      onTestFinished(async () => {
        await few.dispose();
        await whole.dispose();
      });
      const own = answer!.tokens.map(({ logProbability }) => logProbability);
      // Inputs of products are rounded to eight bits by blocks of 32, which depend on the numbers alone, not on the batch.
      expect(own).toBeAllClose(await few.score(made.weights, packed, at, ids, 1), { atol: 0.02 });
      expect(own).toBeAllClose(await whole.score(widened(made, config), packed, at, ids, 1), { atol: 0.12 });
    },
  );
});

it('the head is left alone, or has bits of its own, also where it is tied', async () => {
  for (const config of [configs['llama']!, configs['qwen2']!]) {
    const weights = weightsOf(config);
    const made = await quantizeModel(weights, config, { bits: 8, headBits: 4, method: 'gptq', calibration: text });
    expect([...made.quantized].map(([module, { bits }]) => `${module.split('.').at(-1)!} ${bits}`)).toContain(
      'lm_head 4',
    );
    expect('lm_head' in made.weights).toBe(false);
    const [before, after] = [
      await perplexity({ weights, quantized: new Map() }, config, text),
      await perplexity(made, config, text),
    ];
    expect(after / before).toBeAllClose(1, { atol: 0.2 });
    expect(after).not.toBe(before);
  }
});

it('measures perplexity as the scorer gives it', async () => {
  const weights = tinyLlama(1);
  const scorer = new LogProbabilityScorer(weights, tinyLlamaConfig);
  onTestFinished(() => scorer.dispose());
  let total = 0;
  for (const row of text) {
    const { packed, places } = packSequences([[...row]], { time: 64, pad: 0 });
    const at = [...row.slice(1)].map((_id, i) => places[0]![i]!);
    total += (await scorer.score(weights, packed, at, [...row.slice(1)], 1)).reduce((a, b) => a + b, 0);
  }
  const expected = Math.exp(-total / (text.length * 39));
  expect(await perplexity({ weights, quantized: new Map() }, tinyLlamaConfig, text)).toBeAllClose(expected, {
    rtol: 1e-5,
  });
});

it('gptq needs a text', async () => {
  const asked = quantizeModel(tinyLlama(1), tinyLlamaConfig, { bits: 4, headBits: 32, method: 'gptq' });
  await expect(asked).rejects.toThrow('gptq needs a calibration text; rtn does without');
});

it('a new version with other bits is served by programs of its own', async () => {
  const engine = new GenerationEngine();
  onTestFinished(() => engine.dispose());
  const answers: string[] = [];
  for (const seed of [1, 2]) {
    const made = await quantizeModel(tinyLlama(seed), tinyLlamaConfig, { bits: 4, headBits: 8, method: 'rtn' });
    engine.setModel({ ...made, config: tinyLlamaConfig, version: seed });
    const [answer] = await engine.generateAll([{ prompt: [5, 9], maxTokens: 8, sampling: { temperature: 0 } }]);
    answers.push(answer!.tokens.map(({ id }) => id).join());
  }
  expect(answers[0]).not.toBe(answers[1]);
});

import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { decoderParameters, initLora, type LoraConfig, mergeLora, type ParameterTree } from '@crucible/nn';
import { floats, isNdArray, mapTree, type NdArray } from '@crucible/tensor';
import { tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { expect, it, onTestFinished } from 'vitest';
import { GenerationEngine } from './generation-engine.ts';
import type { Generation, GenerationRequest } from './generation.ts';
import { packSequences } from './packing.ts';
import { LogProbabilityScorer } from './scorers.ts';
import { prepareAdapters, type ServedAdapter } from './served-adapters.ts';

const config = tinyLlamaConfig;
const weights = tinyLlama(1);

/** Values that matter. */
function random(tree: ParameterTree<NdArray>, seed: number): ParameterTree<NdArray> {
  const numbers = Random.seeded(seed);
  const fill = ({ shape, data }: NdArray): NdArray =>
    floats(
      shape,
      Float32Array.from(data, () => 0.5 * numbers.normal()),
    );
  return mapTree(tree, isNdArray, fill) as ParameterTree<NdArray>;
}

function lora(name: string, seed: number, change: Partial<LoraConfig> = {}): ServedAdapter & { config: LoraConfig } {
  const own: LoraConfig = {
    kind: 'lora',
    rank: 3,
    alpha: 2,
    rankStabilized: false,
    dropout: 0.5,
    targets: ['q_proj', 'down_proj'],
    ...change,
  };
  const parameters = random(initLora(own, decoderParameters(config, { kind: 'language' }), Random.seeded(1)), seed);
  return { name, version: seed, config: own, parameters };
}

function virtual(name: string, kind: 'prefix' | 'prompt', tokens: number, seed: number): ServedAdapter {
  const width = kind === 'prompt' ? config.hiddenSize : config.layers * 2 * config.keyValueHeads * 8;
  const parameters = random({ prompt_embeddings: floats([tokens, width], new Float32Array(tokens * width)) }, seed);
  return { name, version: seed, config: { kind, tokens }, parameters };
}

const adapters = [
  lora('first', 11),
  lora('second', 12, { rank: 5, targets: ['all-linear'], rankStabilized: true, rankPattern: { 'layers.1.*': 2 } }),
  virtual('prefix', 'prefix', 4, 13),
  virtual('prompt', 'prompt', 7, 14),
];

async function engineWith(served: readonly ServedAdapter[]): Promise<GenerationEngine> {
  const engine = new GenerationEngine();
  onTestFinished(() => engine.dispose());
  engine.setModel({ weights, config, version: 1, adapters: await prepareAdapters(served, { weights, config }) });
  return engine;
}

/** The log-probabilities that whole passes over prompt and answer give to its tokens. */
async function scored(request: GenerationRequest, { tokens }: Generation): Promise<Float32Array> {
  const adapter = adapters.find(({ name }) => name === request.adapter);
  const scorer = new LogProbabilityScorer(weights, config, adapter && { adapter });
  onTestFinished(() => scorer.dispose());
  const answer = tokens.map(({ id }) => id);
  const { packed, places } = packSequences([[...request.prompt, ...answer]], { time: 64, pad: 0 });
  const at = answer.map((_id, i) => places[0]![request.prompt.length - 1 + i]!);
  return scorer.score(weights, packed, at, answer, 1);
}

const greedy = { maxTokens: 9, sampling: { temperature: 0 }, stopTokens: [] };
const requests: GenerationRequest[] = [
  { prompt: [5, 9, 2, 17], ...greedy },
  ...adapters.map(({ name }) => ({ prompt: [5, 9, 2, 17], adapter: name, ...greedy })),
  { prompt: [3, 4], adapter: 'prompt', ...greedy },
  { prompt: [8, 8, 1, 0, 7, 7], adapter: 'second', ...greedy },
];

it('answers requests for several adapters and for none in one batch, each by its own', async () => {
  const engine = await engineWith(adapters);
  const answers = await engine.generateAll(requests);
  for (const [i, request] of requests.entries()) {
    const own = answers[i]!.tokens.map(({ logProbability }) => logProbability);
    expect(own, request.adapter ?? 'none').toBeAllClose(await scored(request, answers[i]!), { atol: 2e-5, rtol: 1e-5 });
  }
  // Every adapter changes the answer: otherwise equal numbers would prove nothing.
  const texts = answers.slice(0, 5).map(({ tokens }) => tokens.map(({ id }) => id).join());
  expect(new Set(texts).size).toBe(5);
  expect(answers.map(({ version }) => version)).toEqual([1, 11, 12, 13, 14, 14, 12]);
});

it('answers by low rank as by merged weights', async () => {
  const adapter = lora('second', 12, { rank: 5, targets: ['all-linear'] });
  const merged = mergeLora(
    weights,
    adapter.parameters,
    adapter.config,
    decoderParameters(config, { kind: 'language' }),
  );
  const whole = new GenerationEngine();
  onTestFinished(() => whole.dispose());
  whole.setModel({ weights: merged, config, version: 1 });
  const [request] = [{ prompt: [5, 9, 2, 17], ...greedy }];
  const [expected] = await whole.generateAll([request]);
  const engine = await engineWith([lora('other', 3), adapter]);
  const [answer] = await engine.generateAll([{ ...request, adapter: 'second' }]);
  expect(answer!.tokens.map(({ id }) => id)).toEqual(expected!.tokens.map(({ id }) => id));
});

it('an answer that has begun goes on with its adapter when that is replaced', async () => {
  const engine = await engineWith([lora('own', 11)]);
  const request = { prompt: [5, 9, 2, 17], adapter: 'own', ...greedy, maxTokens: 60 };
  const [before] = await engine.generateAll([request]);
  const stream = engine.generate(request);
  const tokens: number[] = [];
  let after: Promise<Generation[]> | undefined;
  for await (const { id } of stream.tokens) {
    tokens.push(id);
    if (tokens.length === 5) {
      const replaced = await prepareAdapters([lora('own', 15)], { weights, config });
      engine.setModel({ weights, config, version: 1, adapters: replaced });
      after = engine.generateAll([request]);
    }
  }
  expect(tokens).toEqual(before!.tokens.map(({ id }) => id));
  const [answer] = await after!;
  expect(answer!.version).toBe(15);
  expect(answer!.tokens.map(({ id }) => id)).not.toEqual(tokens);
});

it('counts virtual tokens as part of the context, and knows only what is loaded', async () => {
  const engine = await engineWith(adapters);
  const prompt = new Array<number>(85).fill(3);
  expect(() => engine.generate({ prompt, adapter: 'prompt', maxTokens: 5 })).toThrow(
    'max_tokens is 5; it must be a whole number from 1 to 4, which the context of 89 leaves after a prompt of 85 tokens',
  );
  const [full] = await engine.generateAll([{ ...greedy, prompt, adapter: 'prompt', maxTokens: 4 }]);
  expect(full!.tokens).toHaveLength(4);
  expect(() => engine.generate({ prompt: [1], adapter: 'third' })).toThrow('adapter third is not loaded');
});

it('refuses adapters that change what the rows of a batch share', async () => {
  const head = lora('head', 1, { targets: ['lm_head'] });
  await expect(prepareAdapters([head], { weights, config })).rejects.toThrow(
    'adapter head changes lm_head.weight, which the rows of a batch share; merge it into its base to serve it',
  );
});

import '@crucible/testing';
import { join } from 'node:path';
import { resolveStage } from './forge/presets.ts';
import { adaptDecoder, type LoraConfig, type ModelWeights, type ParameterTree, withLora } from '@crucible/nn';
import {
  compile,
  flatten,
  gradient,
  ints,
  isNdArray,
  matmul,
  type NdArray,
  randomKey,
  sum,
  type Tensor,
} from '@crucible/tensor';
import { temporaryFolder, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { adapterDefaults, type AdapterSettings, newAdapter, trainingPlan } from './adapter-training.ts';
import { finiteAnswers } from './batches/answer-groups.ts';
import { type ChatSource, finiteChats } from './batches/chat-rows.ts';
import { type PackedInput, predictionLoss, predictionsAt } from './losses.ts';
import { trainRewardModel } from './reward-model.ts';
import { sft } from './sft.ts';
import type { StageContext } from './stage.ts';
import { StageCheckpoint } from './stage-checkpoint.ts';
import { valuesOf } from './testing/gradients.ts';
import { pad, tinyAnswerGroups, tinyChats } from './testing/tiny-stages.ts';

const config = tinyLlamaConfig;
const base = tinyLlama(1);
function logitsAt(weights: ParameterTree<Tensor>, input: PackedInput, at: Tensor): Tensor {
  const { hidden, head } = predictionsAt(weights, config, input, at);
  return matmul(hidden, head, { transposeB: true });
}

const before = structuredClone(valuesOf(base));

function made(settings: Partial<AdapterSettings>, head: 'language' | 'scores' = 'language') {
  return newAdapter(
    { ...adapterDefaults, ...settings },
    {
      base,
      config,
      head: head === 'language' ? { kind: 'language' } : { kind: 'scores', count: 1 },
      seed: 4,
      encode: (text) => Array.from(text, (letter) => letter.charCodeAt(0) % 24),
    },
  );
}

const kinds: Record<string, Partial<AdapterSettings>> = {
  lora: { kind: 'lora', rank: 4 },
  'lora with dropout': { kind: 'lora', rank: 2, dropout: 0.2, targets: 'q_proj, layers.1.mlp.*', rankStabilized: true },
  prefix: { kind: 'prefix', tokens: 3 },
  prompt: { kind: 'prompt', tokens: 3, start: 'text', text: 'abcd' },
  'a prefix through an mlp': { kind: 'prefix', tokens: 3, reparametrization: 'mlp', width: 8 },
  'a prompt through an lstm': { kind: 'prompt', tokens: 3, reparametrization: 'lstm', width: 8 },
};

async function fineTuned(
  settings: Partial<AdapterSettings>,
  steps: number,
  context: StageContext<ModelWeights> = {},
  onStep: (n: number) => unknown = () => undefined,
) {
  const adapter = (await made(settings))!;
  const chats = finiteChats(tinyChats(5), { seed: 7, pad });
  const source: ChatSource = {
    batch: (n, rows, time) => {
      onStep(n);
      // Of one shape: one program.
      return chats.batch(0, rows, time);
    },
  };
  const losses: number[] = [];
  const observe = ({ metrics }: { readonly metrics: Readonly<Record<string, number>> }) =>
    losses.push(metrics['loss']!);
  const { weights } = await sft(
    { config, base, source, adapter },
    {
      ...{ steps, rows: 2, time: 32, warmupSteps: 2, weightDecay: 0 },
      learningRate: settings.kind === 'lora' || settings.reparametrization ? 0.02 : 0.1,
      adapter: { ...adapterDefaults, ...settings },
    },
    { ...context, observe },
  );
  return { learned: valuesOf(weights), initial: valuesOf(adapter.parameters), losses };
}

describe.each(Object.entries(kinds))('fine-tuning by %s', (name, settings) => {
  it('learns, by its own parameters alone', async () => {
    const { learned, initial, losses } = await fineTuned(settings, 30);
    expect(losses.at(-1)).toBeLessThan(0.75 * losses[0]!);
    expect(Object.keys(learned)).toEqual(Object.keys(initial));
    for (const [path, values] of Object.entries(learned)) expect(values, path).not.toEqual(initial[path]);
    expect(valuesOf(base)).toEqual(before);
  });

  // The others are saved in the same way.
  it.runIf(['lora with dropout', 'prefix', 'a prompt through an lstm'].includes(name))(
    'goes on from a checkpoint as if it had not been stopped',
    async () => {
      const whole = await fineTuned(settings, 4);
      const checkpoint = new StageCheckpoint(join(temporaryFolder(), 'sft'));
      const abort = new AbortController();
      const context = { checkpoint, checkpointSeconds: 0 };
      const stopped = fineTuned(settings, 4, { ...context, signal: abort.signal }, (n) => n === 1 && abort.abort());
      await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
      const resumed = await fineTuned(settings, 4, context);
      expect(resumed.learned).toEqual(whole.learned);
      expect(resumed.losses).toHaveLength(2);
    },
  );
});

it('works out no gradient by what is frozen', async () => {
  const adapter = (await made({ kind: 'lora', rank: 4 }))!;
  const plan = trainingPlan(base, config, adapter);
  const batch = finiteChats(tinyChats(5), { seed: 7, pad }).batch(0, 2, 32);
  const program = await compile({ learned: plan.parameters, frozen: plan.frozen, batch }, (given) => {
    const { weights } = plan.read(given.learned, given.frozen);
    const predictions = predictionsAt(weights, config, given.batch, given.batch.at);
    const { loss } = predictionLoss(predictions, given.batch.targets, given.batch.weights);
    return gradient(loss, given.learned);
  });
  const lines = program.print().split('\n');
  await program.dispose();
  const shapes = new Set(flatten<NdArray>(base, isNdArray).map(({ leaf: { shape } }) => `[${shape.join(',')}]`));
  const products = lines.filter((line) => line.includes('= matmul'));
  expect(products.length).toBeGreaterThan(30);
  const asParameters = products.filter((line) => {
    const [, shape] = /float32(\[[^\]]*\])/.exec(line)!;
    return shapes.has(shape!.replaceAll(' ', ''));
  });
  // What the factors add to each matrix; a gradient by one would be another.
  const modules = flatten<NdArray>(plan.parameters, isNdArray).filter(({ path }) => path.endsWith('lora_A.weight'));
  expect(asParameters).toHaveLength(modules.length);
});

it('drops a share of what LoRA sees, other elements for another key, and makes up for it', async () => {
  const lora: LoraConfig = { kind: 'lora', rank: 1, alpha: 1, rankStabilized: false, dropout: 0.3, targets: ['w'] };
  const one = (shape: number[], value = 1): NdArray => ({
    dtype: 'float32',
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b)).fill(value),
  });
  const given = {
    weights: { w: { weight: one([1, 5000], 0) } },
    learned: { w: { lora_A: { weight: one([1, 5000]) }, lora_B: { weight: one([1, 1]) } } },
    key: randomKey(5),
    x: one([1, 5000]),
  };
  const program = await compile(given, ({ weights, learned, key, x }) => {
    const { w } = withLora(weights, learned, lora, key) as unknown as {
      w: { lowRank: { drop: (x: Tensor) => Tensor } };
    };
    return { dropped: w.lowRank.drop(x), total: sum(w.lowRank.drop(x)) };
  });
  const { dropped, total } = await program.run(given);
  const other = await program.run({ ...given, key: randomKey(6) });
  await program.dispose();
  const zeros = dropped.data.filter((value) => value === 0).length;
  expect(zeros / 5000).toBeAllClose(0.3, { atol: 0.03 });
  expect(total.data[0]! / 5000).toBeAllClose(1, { atol: 0.04 });
  expect(other.dropped.data).not.toEqual(dropped.data);
});

it('reads every sequence of a packed row as if it stood alone after the virtual tokens', async () => {
  for (const settings of [kinds['prefix']!, kinds['prompt']!]) {
    const { config: own, parameters } = (await made(settings))!;
    const run = async (batch: Record<'ids' | 'positions' | 'segments' | 'branches', NdArray>, at: number[]) => {
      const inputs = { base, parameters, batch, at: ints([at.length], at) };
      const program = await compile(inputs, (given) => {
        const tree = given.base as ParameterTree<Tensor>;
        const { weights, prefix } = adaptDecoder(tree, config, given.parameters, own);
        return { logits: logitsAt(weights, { ...given.batch, prefix }, given.at) };
      });
      const { logits } = await program.run(inputs);
      await program.dispose();
      return logits.data;
    };
    const row = (values: number[]) => ints([1, values.length], values);
    const packed = await run(
      {
        ids: row([5, 6, 7, 8, 9, 3, 3]),
        positions: row([0, 1, 2, 0, 1, 2, 3]),
        segments: row([1, 1, 1, 2, 2, 2, 2]),
        branches: row([0, 0, 0, 0, 0, 0, 0]),
      },
      [2, 6],
    );
    const alone = async (ids: number[]): Promise<number[]> => {
      const same = row(ids.map(() => 0));
      const counted = row(ids.map((_id, i) => i));
      return [...(await run({ ids: row(ids), positions: counted, segments: same, branches: same }, [ids.length - 1]))];
    };
    expect(packed).toBeAllClose([...(await alone([5, 6, 7])), ...(await alone([8, 9, 3, 3]))], {
      atol: 1e-5,
      rtol: 1e-5,
    });
  }
});

it('a prefix begins as what the tokens of its start are in the model', async () => {
  const start = { tokens: 3, start: 'text', text: 'abc' } as const;
  const logitsWith = async (settings: Partial<AdapterSettings>) => {
    const { config: own, parameters } = (await made(settings))!;
    const ids = ints([1, 4], [5, 6, 7, 8]);
    const program = await compile({ base, parameters, ids }, (given) => {
      const tree = given.base as ParameterTree<Tensor>;
      const { weights, prefix } = adaptDecoder(tree, config, given.parameters, own);
      const zero = given.ids.graph.constant('int32', [1, 4], new Int32Array(4));
      const positions = given.ids.graph.constant('int32', [1, 4], Int32Array.of(0, 1, 2, 3));
      const at = given.ids.graph.constant('int32', [1], Int32Array.of(3));
      return {
        logits: logitsAt(weights, { ids: given.ids, positions, segments: zero, branches: zero, prefix }, at),
      };
    });
    const { logits } = await program.run({ base, parameters, ids });
    await program.dispose();
    return logits.data;
  };
  const prefix = await logitsWith({ kind: 'prefix', ...start });
  const prompt = await logitsWith({ kind: 'prompt', ...start });
  expect(prefix).toBeAllClose(prompt, { atol: 1e-5, rtol: 1e-5 });
});

it('a reward model is trained by lora and a head, and comes out whole', async () => {
  const groups = tinyAnswerGroups(9);
  const adapter = (await made({ kind: 'lora', rank: 4, targets: 'q_proj,v_proj' }, 'scores'))!;
  const inputs = { config, base, source: finiteAnswers(groups.slice(0, 6), 8), pad, heldOut: groups.slice(6), adapter };
  const settings = { steps: 25, groups: 3, time: 16, warmupSteps: 2, learningRate: 0.01, weightDecay: 0 };
  const losses: number[] = [];
  const { model } = await trainRewardModel(inputs, settings, {
    observe: ({ metrics }) => losses.push(metrics['loss']!),
  });
  expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
  const [whole, old] = [valuesOf(model.weights), valuesOf(base)];
  const changed = Object.keys(whole).filter((path) => whole[path] !== old[path]);
  expect(changed.map((path) => path.replace(/^model\.layers\.\d\.self_attn\./, '')).sort()).toEqual([
    'q_proj.weight',
    'q_proj.weight',
    'score.weight',
    'v_proj.weight',
    'v_proj.weight',
  ]);
  await expect(async () =>
    trainRewardModel({ ...inputs, adapter: (await made(kinds['prefix']!, 'scores'))! }, settings),
  ).rejects.toThrow('adapter.kind is prefix; a reward model is trained with lora, or none');
});

describe('options', () => {
  it.each([
    [{ kind: 'dora' }, 'option sft.adapter.kind is "dora"; there are none, lora, prefix, prompt'],
    [{ kind: 'lora', rank: 0 }, 'option sft.adapter.rank is 0; a whole number from 1 is needed'],
    [{ kind: 'lora', dropout: 1 }, 'option sft.adapter.dropout is 1; a number below 1 is needed'],
    [
      { kind: 'prompt', start: 'text' },
      'option sft.adapter.text is ""; the text that the virtual tokens begin as is needed',
    ],
    [{ kind: 'prefix', start: 'random' }, 'option sft.adapter.start is "random"; a prefix begins as'],
    [
      { kind: 'prompt', reparametrization: 'gru' },
      'option sft.adapter.reparametrization is "gru"; there are none, mlp, lstm',
    ],
    [
      { kind: 'lora', reparametrization: 'mlp' },
      'option sft.adapter.reparametrization is "mlp"; it is for virtual tokens, and sft.adapter.kind is "lora"',
    ],
    [{ kind: 'lora', size: 3 }, 'option sft.adapter.size does not exist; there are kind, rank, alpha'],
  ])('%o are refused', (adapter, message) => {
    expect(() => resolveStage('sft', { adapter })).toThrow(message);
  });

  it('an adapter has a rate of its own, which a given one overrides', () => {
    const { sft: lora } = resolveStage('sft', { adapter: { kind: 'lora' } }, { isImported: true });
    expect(lora).toMatchObject({ optimizer: 'adamw', learningRate: 5e-4, weightDecay: 0, rows: 4 });
    expect(resolveStage('sft', { adapter: { kind: 'lora' }, learningRate: 1e-3 }).sft.learningRate).toBe(1e-3);
    const network = { kind: 'prompt', reparametrization: 'mlp' };
    expect(resolveStage('sft', { adapter: network }).sft.learningRate).toBe(3e-3);
  });

  it('of a model that was trained elsewhere, a row or group is worked out at a time on the CPU', () => {
    const partsOf = (stage: 'sft' | 'reward', options: object): number =>
      resolveStage(stage, { ...options }, { isImported: true })[stage].microBatches;
    expect([partsOf('sft', {}), partsOf('sft', { rows: 6 }), partsOf('sft', { rows: 6, microBatches: 2 })]).toEqual([
      4, 6, 2,
    ]);
    expect([partsOf('reward', {}), partsOf('reward', { groups: 3 })]).toEqual([4, 3]);
    expect(resolveStage('sft', { rows: 6 }).sft.microBatches).toBe(1);
    expect(resolveStage('sft', {}, { isImported: true, device: 'webgpu' }).sft.microBatches).toBe(1);
  });

  it('targets that name no matrix', async () => {
    await expect(made({ kind: 'lora', targets: 'query' })).rejects.toThrow(
      'adapter.targets: query names no matrix of the model; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head, or all-linear',
    );
  });
});

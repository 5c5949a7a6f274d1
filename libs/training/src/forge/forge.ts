/**
 * The whole forge: a tokenizer, then model A (pre-training), B (fine-tuning), C (reward model) and D (reinforcement
 * learning), each published as soon as it exists and now and then while it is made. Everything that is done is on the
 * disk: the same call in the same folder goes on where the last one was stopped.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel, type ModelRegistry, type ModelVersion, type SavedModel } from '@crucible/checkpoint';
import { CrucibleError, invalidInput, publishFolder, Random, writeFileAtomic } from '@crucible/foundation';
import { GenerationEngine, ScalarScorer, scoreSequences, throughputBatch } from '@crucible/inference';
import type { DecoderConfig, ModelWeights } from '@crucible/nn';
import { loadTokenizer, saveTokenizer, type Tokenizer, trainBpe } from '@crucible/tokenizer';
import { ppo, type RewardFunction } from '../ppo.ts';
import { pretrain } from '../pretrain.ts';
import { type RewardModel, trainRewardModel } from '../reward-model.ts';
import { sft } from '../sft.ts';
import type { Computing, ForgeStageName, StageContext, StageName, StageProgress } from '../stage.ts';
import type { ChatFigures, ForgeData } from './forge-data.ts';
import { modelConfig } from './model-config.ts';
import type { ForgeSettings } from './presets.ts';
import { createStageContext } from './stage-context.ts';

export interface ForgeOptions extends Computing {
  /** Models are named NAME-a to NAME-d. */
  readonly name: string;
  readonly seed: number;
  readonly settings: ForgeSettings;
  readonly data: ForgeData;
  readonly registry: ModelRegistry;
  /** Belongs to this forge: its tokenizer, checkpoints and record. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  readonly report?: (progress: ForgeProgress) => void;
  /** Called after every step with its own figures; `report` comes now and then, with smoothed ones. */
  readonly observe?: (progress: StageProgress) => void;
  /** Called for every version that has been published. */
  readonly published?: (model: ModelVersion) => Promise<void>;
}

export interface ForgeProgress extends Omit<StageProgress, 'stage'> {
  readonly stage: 'tokenizer' | StageName | 'report';
}

export interface ForgeResult {
  /** The models that were made, as NAME@VERSION. */
  readonly models: readonly string[];
  /** The report's figures: see `ForgeReport`. */
  readonly metrics: Readonly<Record<string, number>>;
}

const letters = { pretrain: 'a', sft: 'b', reward: 'c', ppo: 'd' } as const satisfies Record<ForgeStageName, string>;

/** What the folder remembers of the stages that are done. */
interface ForgeRecord {
  /** References of the models that the stages ended with. */
  readonly models: Partial<Record<ForgeStageName, string>>;
  readonly metrics: Readonly<Record<string, number>>;
}

export async function forge(options: ForgeOptions): Promise<ForgeResult> {
  const run = new ForgeRun(options);
  try {
    return await run.run();
  } finally {
    await run.dispose();
  }
}

/** Each stage goes on from the weights of the one before. */
function assertWhole(kind: string, stage: 'sft' | 'reward'): void {
  if (kind === 'none') return;
  const at = `${stage}.adapter.kind`;
  throw invalidInput(`option ${at} is ${kind}; a forge learns whole models, and \`crucible train ${stage}\` adapters`, {
    at,
  });
}

class ForgeRun {
  readonly #options: ForgeOptions;
  readonly #engine: GenerationEngine;
  #record: ForgeRecord;

  constructor(options: ForgeOptions) {
    this.#options = options;
    this.#engine = new GenerationEngine({ maxBatch: throughputBatch, device: options.device ?? 'cpu' });
    mkdirSync(options.folder, { recursive: true });
    this.#record = readRecord(join(options.folder, 'forge.json'));
  }

  async run(): Promise<ForgeResult> {
    const { data, settings } = this.#options;
    modelConfig(settings);
    for (const stage of ['sft', 'reward'] as const) assertWhole(settings[stage].adapter.kind, stage);
    const tokenizer = await this.#tokenizer();
    const config = modelConfig(settings, tokenizer.vocabSize);

    const a = await this.#pretrain(tokenizer, config);
    if (data.chats) {
      const b = await this.#fineTune(tokenizer, config, a);
      if (data.preferences && data.prompts) {
        const c = await this.#rewardModel(tokenizer, config, b);
        await this.#reinforce(tokenizer, config, b, c);
      }
    }
    const { models, metrics } = this.#record;
    this.#options.report?.({ stage: 'report', step: 1, steps: 1, metrics });
    return { models: Object.values(models), metrics };
  }

  async dispose(): Promise<void> {
    await this.#engine.dispose();
  }

  async #tokenizer(): Promise<Tokenizer> {
    const { folder, settings, data, signal, report } = this.#options;
    const home = join(folder, 'tokenizer');
    if (existsSync(home)) return loadTokenizer(home);
    const start = performance.now();
    const tokenizer = await trainBpe(data.tokenizerTexts(), {
      vocabSize: settings.vocabulary,
      ...(signal && { signal }),
      onProgress: (progress) => {
        const step = progress.phase === 'merging' ? progress.tokens : 0;
        report?.({ stage: 'tokenizer', step, steps: settings.vocabulary, metrics: {} });
      },
    });
    await publishFolder(home, (temporary) => saveTokenizer(tokenizer, temporary));
    const seconds = (performance.now() - start) / 1000;
    report?.({ stage: 'tokenizer', step: tokenizer.vocabSize, steps: tokenizer.vocabSize, metrics: { seconds } });
    return tokenizer;
  }

  async #pretrain(tokenizer: Tokenizer, config: DecoderConfig): Promise<ModelWeights> {
    const { data, seed, settings } = this.#options;
    const train = async (): Promise<ModelWeights> => {
      const { source, validation } = data.text(tokenizer, seed);
      const context = this.#languageContext('pretrain', tokenizer, config);
      return (await pretrain({ config, source, validation }, { ...settings.pretrain, seed }, context)).weights;
    };
    const weights = this.#finishedLanguage('pretrain') ?? (await train());
    await this.#measureOnce('a', weights, config, tokenizer);
    return weights;
  }

  async #fineTune(tokenizer: Tokenizer, config: DecoderConfig, base: ModelWeights): Promise<ModelWeights> {
    const { data, seed, settings } = this.#options;
    const train = async (): Promise<ModelWeights> => {
      const source = data.chats!(tokenizer, seed);
      const inputs = { config, base, source, ...this.#evaluation(tokenizer, config) };
      return (await sft(inputs, { ...settings.sft, seed }, this.#languageContext('sft', tokenizer, config))).weights;
    };
    const weights = this.#finishedLanguage('sft') ?? (await train());
    await this.#measureOnce('b', weights, config, tokenizer);
    return weights;
  }

  async #rewardModel(tokenizer: Tokenizer, config: DecoderConfig, base: ModelWeights): Promise<RewardModel> {
    const { data, seed, settings, signal } = this.#options;
    const done = this.#finished('reward');
    if (done?.kind === 'scalar') return done;
    this.#engine.setModel({ weights: base, config, version: 1 });
    const { source, heldOut } = await data.preferences!(tokenizer, seed, this.#engine, signal);
    const context = this.#context<RewardModel>('reward', tokenizer, (model) => ({ kind: 'scalar', config, ...model }));
    const reference = await this.#answers(base, config, tokenizer, 'normalisation');
    const inputs = { config, base, source, heldOut, reference, pad: tokenizer.padId ?? 0 };
    return (await trainRewardModel(inputs, { ...settings.reward, seed }, context)).model;
  }

  async #reinforce(
    tokenizer: Tokenizer,
    config: DecoderConfig,
    reference: ModelWeights,
    { weights: value, bias }: RewardModel,
  ): Promise<void> {
    const { data, seed, settings } = this.#options;
    const pad = tokenizer.padId ?? 0;
    const scorer = new ScalarScorer(value, config, { device: this.#options.device ?? 'cpu' });
    const score = async (sequences: readonly (readonly number[])[]): Promise<number[]> => {
      const scores = await scoreSequences(scorer, value, sequences, { time: settings.ppo.time, pad });
      return scores.map((one) => one - bias);
    };
    const train = async (): Promise<ModelWeights> => {
      const reward: RewardFunction = (samples) =>
        score(samples.map(({ prompt, response }) => [...prompt, ...response]));
      const inputs = {
        config,
        reference,
        value,
        reward,
        prompts: data.prompts!(tokenizer, seed).train,
        eos: tokenizer.eosId!,
        pad,
        ...this.#evaluation(tokenizer, config),
      };
      return (await ppo(inputs, { ...settings.ppo, seed }, this.#languageContext('ppo', tokenizer, config))).weights;
    };
    try {
      const weights = this.#finishedLanguage('ppo') ?? (await train());
      await this.#measureOnce('d', weights, config, tokenizer);
      if (this.#record.metrics['reward_gain'] === undefined) {
        const meanScore = async (policy: ModelWeights): Promise<number> =>
          mean(await score(await this.#answers(policy, config, tokenizer, 'measurement')));
        const [before, after] = [await meanScore(reference), await meanScore(weights)];
        this.#remember({ reward_b: before, reward_d: after, reward_gain: after - before });
      }
      const { score_b: scoreB, score_d: scoreD } = this.#record.metrics;
      if (scoreB !== undefined && scoreD !== undefined) this.#remember({ verifier_gain: scoreD - scoreB });
    } finally {
      await scorer.dispose();
    }
  }

  /** Answers of a model to held-out prompts, prompt included; the same prompts for the same purpose. */
  async #answers(
    weights: ModelWeights,
    config: DecoderConfig,
    tokenizer: Tokenizer,
    purpose: string,
  ): Promise<number[][]> {
    const { data, seed, settings, signal } = this.#options;
    this.#engine.setModel({ weights, config, version: 1 });
    const random = Random.seeded(seed).fork(purpose);
    const { maxTokens, temperature, time } = settings.ppo;
    const longest = Math.min(time, config.maxPositions) - maxTokens;
    const count = Math.max(8, Math.floor(settings.evaluation / 2));
    const prompts = data.prompts!(tokenizer, seed).heldOut(random.uint32(), count, longest);
    const answers = await this.#engine.generateAll(
      prompts.map((prompt) => ({
        prompt,
        maxTokens,
        stopTokens: [tokenizer.eosId!],
        sampling: { temperature, seed: random.uint32() },
        ...(signal && { signal }),
      })),
    );
    return answers.map(({ tokens }, i) => [...prompts[i]!, ...tokens.map(({ id }) => id)]);
  }

  /** A quick look at how the chat model does, for the progress of a stage. */
  #evaluation(
    tokenizer: Tokenizer,
    config: DecoderConfig,
  ): { evaluate?: (weights: ModelWeights) => Promise<Record<string, number>> } {
    if (!this.#options.data.evaluate) return {};
    return {
      evaluate: async (weights) => {
        const { exact, score } = await this.#measure(
          weights,
          config,
          tokenizer,
          Math.ceil(this.#options.settings.evaluation / 4),
        );
        return { exact, score };
      },
    };
  }

  async #measure(
    weights: ModelWeights,
    config: DecoderConfig,
    tokenizer: Tokenizer,
    count: number,
  ): Promise<ChatFigures> {
    const { data, signal } = this.#options;
    this.#engine.setModel({ weights, config, version: 1 });
    return data.evaluate!(this.#engine, tokenizer, { count, ...(signal && { signal }) });
  }

  /** Measures a model that is done, unless it has been, and remembers the figures under its letter. */
  async #measureOnce(
    letter: 'a' | 'b' | 'd',
    weights: ModelWeights,
    config: DecoderConfig,
    tokenizer: Tokenizer,
  ): Promise<void> {
    const { data, settings } = this.#options;
    if (!data.evaluate || this.#record.metrics[`exact_${letter}`] !== undefined) return;
    const { exact, score, tasks } = await this.#measure(weights, config, tokenizer, settings.evaluation);
    const byTask = Object.entries(tasks).map(([task, share]) => [`exact_${letter}/${task}`, share] as const);
    this.#remember({ [`exact_${letter}`]: exact, [`score_${letter}`]: score, ...Object.fromEntries(byTask) });
  }

  #languageContext(stage: ForgeStageName, tokenizer: Tokenizer, config: DecoderConfig): StageContext<ModelWeights> {
    return this.#context<ModelWeights>(stage, tokenizer, (weights) => ({ kind: 'language', config, weights }));
  }

  #context<Weights>(
    stage: ForgeStageName,
    tokenizer: Tokenizer,
    modelOf: (weights: Weights) => SavedModel,
  ): StageContext<Weights> {
    const { folder, name } = this.#options;
    return createStageContext<Weights>(this.#options, {
      stage,
      name: `${name}-${letters[stage]}`,
      tokenizer,
      modelOf,
      base: this.#baseOf(stage),
      folder: join(folder, stage),
      finished: ({ name: made, version }, info) => {
        const kept = Object.entries(keptMetrics[stage]).flatMap(([metric, as]) => {
          const value = info.metrics[metric];
          return value === undefined ? [] : [[as, value] as const];
        });
        this.#remember(Object.fromEntries(kept), { [stage]: `${made}@${version}` });
      },
    });
  }

  /** The model that a stage begins from. */
  #baseOf(stage: ForgeStageName): ModelVersion | undefined {
    const reference = this.#record.models[parentOf[stage] ?? stage];
    return reference === undefined ? undefined : this.#options.registry.resolve(reference);
  }

  /** The model that a stage ended with, when it has been through already. */
  #finished(stage: ForgeStageName): SavedModel | undefined {
    const reference = this.#record.models[stage];
    if (reference === undefined) return undefined;
    const { folder } = this.#options.registry.resolve(reference);
    return loadModel(folder);
  }

  #finishedLanguage(stage: ForgeStageName): ModelWeights | undefined {
    const model = this.#finished(stage);
    return model?.kind === 'language' ? model.weights : undefined;
  }

  #remember(metrics: Readonly<Record<string, number>>, models: ForgeRecord['models'] = {}): void {
    const { folder } = this.#options;
    this.#record = {
      models: { ...this.#record.models, ...models },
      metrics: { ...this.#record.metrics, ...metrics },
    };
    writeFileAtomic(join(folder, 'forge.json'), `${JSON.stringify(this.#record, null, 2)}\n`);
  }
}

/** Metrics that a stage ends with and the report shows, and their names there. */
const keptMetrics: Readonly<Record<ForgeStageName, Readonly<Record<string, string>>>> = {
  pretrain: { val_bpb: 'val_bpb_a' },
  sft: {},
  reward: { val_accuracy: 'rm_pair_accuracy' },
  ppo: { 'objective/kl': 'kl' },
};

const parentOf: Readonly<Record<ForgeStageName, ForgeStageName | undefined>> = {
  pretrain: undefined,
  sft: 'pretrain',
  reward: 'sft',
  ppo: 'sft',
};

function readRecord(path: string): ForgeRecord {
  if (!existsSync(path)) return { models: {}, metrics: {} };
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ForgeRecord;
  } catch (reason) {
    throw new CrucibleError('data-loss', `${path}: cannot be read: ${(reason as Error).message}`, { cause: reason });
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

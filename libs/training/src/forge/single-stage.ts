/** The stages one by one, from models of the registry and a user's files: what `crucible train STAGE` runs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  loadFirstSpecialToken,
  loadModel,
  type ModelKind,
  type ModelVersion,
  type SavedAdapter,
} from '@crucible/checkpoint';
import { invalidInput, publishFolder } from '@crucible/foundation';
import { ScalarScorer, scoreSequences } from '@crucible/inference';
import {
  assertEncoderConfig,
  bodyOf,
  type DecoderConfig,
  decoderFamily,
  type EncoderConfig,
  type ModelWeights,
} from '@crucible/nn';
import { flatten, formatShape, isNdArray, type NdArray, shapesEqual } from '@crucible/tensor';
import { loadTokenizer, saveTokenizer, type Tokenizer, trainBpe, trainWordPiece } from '@crucible/tokenizer';
import { newAdapter } from '../adapter-training.ts';
import { answerEnd, withChatFormat } from '../chat-format.ts';
import { maskedVocabulary } from '../batches/masked-windows.ts';
import { streamSource, type TokenSource } from '../batches/token-windows.ts';
import { encoderConfigOf, mlm, type MlmSettings } from '../mlm.ts';
import { ppo, type PpoSettings } from '../ppo.ts';
import { pretrain } from '../pretrain.ts';
import { type RewardModel, type RewardSettings, trainRewardModel } from '../reward-model.ts';
import { sft, type SftSettings } from '../sft.ts';
import type { StageContext, StageName } from '../stage.ts';
import { modelConfig } from './model-config.ts';
import type { ForgeSettings } from './presets.ts';
import { createStageContext, referenceOf, type StageHost } from './stage-context.ts';
import {
  encodeDocuments,
  type ReadOptions,
  readChatSource,
  readCorpora,
  readPreferenceData,
  readPromptSource,
  readUserData,
} from './user-data.ts';

/** `onInvalid` and `onNotice` are about the rows of the stage's files. */
export interface SingleStage extends StageHost, ReadOptions {
  /** Name of the model to make. */
  readonly name: string;
  readonly seed: number;
  /** Belongs to this stage: checkpoints, and the tokenizer where one is made. */
  readonly folder: string;
}

export interface StageResult {
  readonly models: readonly string[];
  readonly metrics: Readonly<Record<string, number>>;
}

/** A tokenizer and a base model from plain text. */
export async function pretrainStage(
  stage: SingleStage,
  { corpus, settings }: { readonly corpus: readonly string[]; readonly settings: ForgeSettings },
): Promise<StageResult> {
  modelConfig(settings);
  const data = await readUserData({ corpus, instructions: [], preferences: [] });
  const home = join(stage.folder, 'tokenizer');
  if (!existsSync(home)) {
    const { signal } = stage;
    const trained = await trainBpe(data.tokenizerTexts(), {
      vocabSize: settings.vocabulary,
      ...(signal && { signal }),
    });
    await publishFolder(home, (temporary) => saveTokenizer(trained, temporary));
  }
  const tokenizer = loadTokenizer(home);
  const config = modelConfig(settings, tokenizer.vocabSize);
  const run = new Run(stage, 'pretrain', tokenizer, undefined);
  const { metrics } = await pretrain(
    { config, ...data.text(tokenizer, stage.seed) },
    { ...settings.pretrain, seed: stage.seed },
    run.language(config),
  );
  return run.result(metrics);
}

/** A masked language model from plain text: a new one with its tokenizer, or one that learns on from a base. */
export async function mlmStage(
  stage: SingleStage,
  {
    corpus,
    base,
    settings,
  }: { readonly corpus: readonly string[]; readonly base?: ModelVersion; readonly settings: MlmSettings },
): Promise<StageResult> {
  const texts = readCorpora(corpus);
  const loaded = base && openMasked(base);
  const tokenizer = loaded?.tokenizer ?? (await wordPieces(stage, texts.train, settings.vocabulary));
  const config = loaded?.config ?? encoderConfigOf(settings, tokenizer.vocabSize);
  assertEncoderConfig(config, 'mlm');
  const vocabulary = maskedVocabulary(tokenizer);
  const stream = (side: readonly string[], seed: number): TokenSource =>
    streamSource(encodeDocuments(tokenizer, side, vocabulary.sep), seed);
  const run = new Run(stage, 'mlm', tokenizer, base);
  const { metrics } = await mlm(
    {
      config,
      vocabulary,
      source: stream(texts.train, stage.seed),
      validation: stream(texts.heldout, 0),
      ...(loaded && { initial: loaded.weights }),
    },
    { ...settings, seed: stage.seed },
    run.masked(config),
  );
  return run.result(metrics);
}

async function wordPieces({ folder, signal }: SingleStage, texts: readonly string[], size: number): Promise<Tokenizer> {
  const home = join(folder, 'tokenizer');
  if (!existsSync(home)) {
    const trained = await trainWordPiece(texts, { vocabSize: size, ...(signal && { signal }) });
    await publishFolder(home, (temporary) => saveTokenizer(trained, temporary));
  }
  return loadTokenizer(home);
}

function openMasked(model: ModelVersion): {
  readonly weights: ModelWeights;
  readonly config: EncoderConfig;
  readonly tokenizer: Tokenizer;
} {
  const loaded = loadModel(model.folder);
  if (loaded.kind !== 'masked-language') {
    throw invalidInput(`${model.name} is a ${kindName(loaded.kind)}; a masked language model is needed`, {
      at: 'base_model',
    });
  }
  return { weights: loaded.weights, config: loaded.config, tokenizer: loadTokenizer(model.folder) };
}

/** A chat model from a base model and conversations. */
export async function sftStage(
  stage: SingleStage,
  {
    base,
    instructions,
    settings,
  }: {
    readonly base: ModelVersion;
    readonly instructions: readonly string[];
    readonly settings: Omit<SftSettings, 'seed'>;
  },
): Promise<StageResult> {
  const { weights, config, tokenizer: own } = openLanguage(base);
  const tokenizer = withChatFormat(own, loadFirstSpecialToken(base.folder));
  const source = await readChatSource(instructions, tokenizer, stage.seed, stage);
  const run = new Run(stage, 'sft', tokenizer, base);
  const adapter = await newAdapter(settings.adapter, {
    base: weights,
    config,
    head: { kind: 'language' },
    seed: stage.seed,
    encode: (text) => tokenizer.encode(text),
  });
  const { metrics } = await sft(
    { config, base: weights, source, ...(adapter && { adapter }) },
    { ...settings, seed: stage.seed },
    adapter ? run.adapter(config, adapter) : run.language(config),
  );
  return run.result(metrics);
}

/** A reward model from a chat model and compared answers. */
export async function rewardStage(
  stage: SingleStage,
  {
    base,
    preferences,
    settings,
  }: {
    readonly base: ModelVersion;
    readonly preferences: readonly string[];
    readonly settings: Omit<RewardSettings, 'seed'>;
  },
): Promise<StageResult> {
  const { weights, config, tokenizer } = openLanguage(base);
  const data = await readPreferenceData(preferences, tokenizer, stage.seed, stage);
  const run = new Run(stage, 'reward', tokenizer, base);
  const adapter = await newAdapter(settings.adapter, {
    base: weights,
    config,
    head: { kind: 'scores', count: 1 },
    seed: stage.seed,
    encode: (text) => tokenizer.encode(text),
  });
  const inputs = { config, base: weights, ...data, pad: tokenizer.padId ?? 0, ...(adapter && { adapter }) };
  const { metrics } = await trainRewardModel(inputs, { ...settings, seed: stage.seed }, run.reward(config));
  return run.result(metrics);
}

/** A chat model improved against a reward model. */
export async function ppoStage(
  stage: SingleStage,
  {
    base,
    reward,
    prompts,
    settings,
  }: {
    readonly base: ModelVersion;
    readonly reward: ModelVersion;
    readonly prompts: readonly string[];
    readonly settings: Omit<PpoSettings, 'seed'>;
  },
): Promise<StageResult> {
  const { weights: reference, config, tokenizer } = openLanguage(base);
  const judge = loadModel(reward.folder);
  if (judge.kind !== 'scalar')
    throw invalidInput(`${reward.name} is a ${kindName(judge.kind)}; a reward model is needed`, { at: 'reward_model' });
  assertAlike({ ...judge, model: reward }, { weights: reference, config, model: base });
  const pad = tokenizer.padId ?? 0;
  const run = new Run(stage, 'ppo', tokenizer, base);
  const scorer = new ScalarScorer(judge.weights, config, { device: stage.device ?? 'cpu' });
  try {
    const { metrics } = await ppo(
      {
        config,
        reference,
        value: judge.weights,
        prompts: await readPromptSource(prompts, tokenizer, stage.seed, stage),
        eos: answerEnd(tokenizer),
        pad,
        reward: async (samples) => {
          const sequences = samples.map(({ prompt, response }) => [...prompt, ...response]);
          const scores = await scoreSequences(scorer, judge.weights, sequences, { time: settings.time, pad });
          return scores.map((score) => score - judge.bias);
        },
      },
      { ...settings, seed: stage.seed },
      run.language(config),
    );
    return run.result(metrics);
  } finally {
    await scorer.dispose();
  }
}

/** Publishes what one stage makes, and remembers its reference. */
class Run {
  readonly #stage: SingleStage;
  readonly #kind: StageName;
  readonly #tokenizer: Tokenizer;
  readonly #base: ModelVersion | undefined;
  #made: string | undefined;

  constructor(stage: SingleStage, kind: StageName, tokenizer: Tokenizer, base: ModelVersion | undefined) {
    this.#stage = stage;
    this.#kind = kind;
    this.#tokenizer = tokenizer;
    this.#base = base;
  }

  language(config: DecoderConfig): StageContext<ModelWeights> {
    return createStageContext<ModelWeights>(this.#stage, {
      ...this.#common(),
      modelOf: (weights) => ({ kind: 'language', config, weights }),
    });
  }

  masked(config: EncoderConfig): StageContext<ModelWeights> {
    return createStageContext<ModelWeights>(this.#stage, {
      ...this.#common(),
      modelOf: (weights) => ({ kind: 'masked-language', config, weights }),
    });
  }

  adapter(config: DecoderConfig, adapter: SavedAdapter): StageContext<ModelWeights> {
    const { folder } = this.#base!;
    return createStageContext<ModelWeights>(this.#stage, {
      ...this.#common(),
      modelOf: (parameters) => ({
        kind: 'adapter',
        adapter: { ...adapter, parameters },
        model: { kind: 'language', config },
        base: folder,
      }),
    });
  }

  reward(config: DecoderConfig): StageContext<RewardModel> {
    return createStageContext<RewardModel>(this.#stage, {
      ...this.#common(),
      modelOf: (model) => ({ kind: 'scalar', config, ...model }),
    });
  }

  result(metrics: Readonly<Record<string, number>>): StageResult {
    return { models: this.#made === undefined ? [] : [this.#made], metrics };
  }

  #common() {
    const { name, folder } = this.#stage;
    return {
      stage: this.#kind,
      name,
      tokenizer: this.#tokenizer,
      base: this.#base,
      folder: join(folder, this.#kind),
      finished: (version: ModelVersion): void => void (this.#made = referenceOf(version)),
    };
  }
}

function openLanguage(model: ModelVersion): {
  readonly weights: ModelWeights;
  readonly config: DecoderConfig;
  readonly tokenizer: Tokenizer;
} {
  const loaded = loadModel(model.folder);
  if (loaded.kind !== 'language')
    throw invalidInput(`${model.name} is a ${kindName(loaded.kind)}; a language model is needed`, { at: 'base_model' });
  const tokenizer = loadTokenizer(model.folder);
  const { vocabularySize, hiddenSize } = loaded.config;
  if (tokenizer.vocabSize > vocabularySize) {
    const { body, embeddings } = decoderFamily(loaded.config);
    throw invalidInput(
      `${join(model.folder, 'tokenizer.json')}: it has ${tokenizer.vocabSize} tokens; tensor ${body}.${embeddings} of the weights has shape ${formatShape([vocabularySize, hiddenSize])}`,
      { at: 'base_model' },
    );
  }
  return { ...loaded, tokenizer };
}

const kindNames: Readonly<Record<ModelKind, string>> = {
  language: 'language model',
  scalar: 'reward model',
  classifier: 'classifier',
  'masked-language': 'masked language model',
  embedding: 'model for embeddings',
};

function kindName(kind: ModelKind): string {
  return kindNames[kind];
}

interface OpenModel {
  readonly model: ModelVersion;
  readonly config: DecoderConfig;
  readonly weights: ModelWeights;
}

/** The value network begins as the reward model and reads what the chat model writes. */
function assertAlike(reward: OpenModel, base: OpenModel): void {
  const fail = (file: string, what: string): never => {
    throw invalidInput(
      `${join(reward.model.folder, file)}: ${what} of ${referenceOf(base.model)}, which it is to judge`,
      { at: 'reward_model' },
    );
  };
  if (reward.config.family !== base.config.family)
    fail('config.json', `model_type is ${reward.config.family}, and not the ${base.config.family}`);
  const { body } = decoderFamily(base.config);
  const leavesOf = ({ weights, config }: OpenModel) => flatten<NdArray>(bodyOf(weights, config), isNdArray);
  const shapes = new Map(leavesOf(base).map(({ path, leaf }) => [path, leaf.shape]));
  for (const { path, leaf } of leavesOf(reward)) {
    const shape = shapes.get(path);
    if (!shape) fail('model.safetensors', `tensor ${body}.${path} is not part`);
    else if (!shapesEqual(leaf.shape, shape))
      fail(
        'model.safetensors',
        `tensor ${body}.${path} has shape ${formatShape(leaf.shape)}, and not the ${formatShape(shape)}`,
      );
  }
  const own = new Map(Object.entries(reward.config));
  for (const [key, value] of Object.entries(base.config)) {
    const [found, wanted] = [own.get(key), value].map((each) => JSON.stringify(each));
    if (key !== 'tieEmbeddings' && found !== wanted) fail('config.json', `${key} is ${found}, and not the ${wanted}`);
  }
  if (reward.model.tokenizerSha256 !== base.model.tokenizerSha256) fail('tokenizer.json', 'it is not the one');
}

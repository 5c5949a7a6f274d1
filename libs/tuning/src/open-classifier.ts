/** What `crucible tune` has kept, as a classifier again: a head for labels, or a prompt with label words beside its model. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadAdapter, loadModel, readModelKind, readSafetensors } from '@crucible/checkpoint';
import { invalidInput } from '@crucible/foundation';
import {
  classifierLogits,
  type DecoderConfig,
  encode,
  type EncoderConfig,
  encoderFamilies,
  type ModelWeights,
} from '@crucible/nn';
import { loadTokenizer } from '@crucible/tokenizer';
import { EncoderClassifier } from './encoder-classifier.ts';
import type { TunedModel } from './method.ts';
import { inContextMethod } from './methods/decoder.ts';
import { plainPrompt } from './methods/head.ts';
import { promptOf, promptTask } from './prompt-model.ts';
import { promptFile, readPrompt } from './saved-prompt.ts';
import { parseTemplate, TemplateEncoder } from './template.ts';
import { calibrated, createVerbalizer } from './verbalizer.ts';

/** The labels that a folder's model tells apart; empty where it was not tuned for any. */
export function readLabels(folder: string): readonly string[] {
  if (existsSync(join(folder, promptFile))) return readPrompt(folder).labels;
  if (!existsSync(join(folder, 'config.json')) || readModelKind(folder) !== 'classifier') return [];
  const model = loadModel(folder);
  return model.kind === 'classifier' ? model.labels : [];
}

/** The language model that an adapter, or a prompt, belongs to, where it is in memory already. */
export interface LoadedBase {
  readonly weights: ModelWeights;
  readonly config: DecoderConfig;
  /** Where it, and its tokenizer, come from. */
  readonly folder: string;
}

export interface Classifier extends Pick<TunedModel, 'predict' | 'dispose'> {
  readonly labels: readonly string[];
  /** The most tokens of one text with its template. */
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly parameterCount: number;
}

/** `base`: needed for an adapter. Throws for a folder of which there is nothing to ask for labels. */
export async function openClassifier(folder: string, base?: LoadedBase): Promise<Classifier> {
  const kind = base ? 'language' : readModelKind(folder);
  switch (kind) {
    case 'classifier':
      return openHead(folder);
    case 'masked-language':
      return openMaskedPrompt(folder);
    case 'language':
      return openCausalPrompt(folder, base ?? loadBase(folder));
    default:
      throw invalidInput(`${folder} holds a model of the kind ${kind}, which tells no labels apart`, { at: 'model' });
  }
}

function loadBase(folder: string): LoadedBase {
  const model = loadModel(folder);
  if (model.kind !== 'language') throw new Error(`internal: ${folder} is no language model`);
  return { ...model, folder };
}

function openHead(folder: string): Classifier {
  const model = loadModel(folder);
  if (model.kind !== 'classifier') throw new Error(`internal: ${folder} is no classifier`);
  const { config, weights, labels } = model;
  if (!isEncoderConfig(config))
    throw invalidInput(`${folder} holds a classifier of the family ${config.family}; of an encoder is needed`, {
      at: 'model',
    });
  const tokenizer = loadTokenizer(folder);
  const classifier = new EncoderClassifier({
    ...{ config, learned: {}, frozen: weights },
    scores: (_learned, all, { ids, mask, types }) =>
      classifierLogits(all, config, encode(all, config, { ids, mask, types })),
  });
  return {
    labels,
    contextLength: config.maxPositions,
    vocabularySize: config.vocabularySize,
    parameterCount: classifier.allParameters,
    predict: (inputs) =>
      classifier.probabilities(inputs.map((input) => plainPrompt(tokenizer, input, config.maxPositions))),
    dispose: () => classifier.dispose(),
  };
}

function isEncoderConfig(config: DecoderConfig | EncoderConfig): config is EncoderConfig {
  return encoderFamilies.some(({ name }) => name === config.family);
}

function openMaskedPrompt(folder: string): Classifier {
  const { labels, template, words, severalTokens, prior } = readPrompt(folder);
  const model = loadModel(folder);
  if (model.kind !== 'masked-language') throw new Error(`internal: ${folder} is no masked language model`);
  const { config } = model;
  const tokenizer = loadTokenizer(folder);
  const encoder = new TemplateEncoder(parseTemplate(template), tokenizer, {
    kind: 'masked',
    longest: config.maxPositions,
  });
  const verbalizer = createVerbalizer(labels, words, tokenizer, severalTokens ? { severalTokens } : {});
  const softPath = join(folder, 'soft_prompt.safetensors');
  const soft = existsSync(softPath) ? readSafetensors(softPath).tensors.get('soft_prompt') : undefined;
  const wanted = [encoder.softTokens.length, config.hiddenSize];
  if (encoder.softTokens.length > 0 && soft?.shape.join() !== wanted.join())
    throw invalidInput(`${softPath}: embeddings of ${wanted.join(' × ')} are needed, as the template has it`, {
      at: softPath,
    });
  const classifier = new EncoderClassifier(promptTask(model, verbalizer, soft, 'none'));
  return {
    labels,
    contextLength: config.maxPositions,
    vocabularySize: config.vocabularySize,
    parameterCount: classifier.allParameters,
    predict: async (inputs) => {
      const rows = await classifier.probabilities(inputs.map((input) => promptOf(encoder.encode(input), config)));
      return prior ? rows.map((row) => calibrated(row, prior)) : rows;
    },
    dispose: () => classifier.dispose(),
  };
}

async function openCausalPrompt(folder: string, base: LoadedBase): Promise<Classifier> {
  const { labels, template, words, prior, shown = [] } = readPrompt(folder);
  const { weights, config } = base;
  // An adapter may have come without a tokenizer, which is then the model's.
  const tokenizer = loadTokenizer(existsSync(join(folder, 'tokenizer.json')) ? folder : base.folder);
  const isAdapter = existsSync(join(folder, 'adapter_config.json'));
  const adapter = isAdapter ? loadAdapter(folder, { kind: 'language', config }) : undefined;
  const method = inContextMethod(
    { weights, config, tokenizer, base: base.folder, ...(adapter && { adapter }) },
    { template: parseTemplate(template), words, shots: 0, shown },
  );
  const tuned = await method.train({ labels, train: [], dev: [] }, untrained);
  return {
    labels,
    contextLength: config.maxPositions,
    vocabularySize: config.vocabularySize,
    parameterCount: tuned.allParameters,
    predict: async (inputs) => {
      const rows = await tuned.predict(inputs);
      return prior ? rows.map((row) => calibrated(row, prior)) : rows;
    },
    dispose: () => tuned.dispose(),
  };
}

const untrained = {
  ...{ seed: 0, steps: 0, rows: 1, learningRate: 0, warmupShare: 0, weightDecay: 0, evaluations: 0, threads: 0 },
};

/** Models as Hugging Face folders: config.json, generation_config.json, model.safetensors, beside the tokenizer's files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput, writeFileAtomic } from '@crucible/foundation';
import {
  assertLlamaConfig,
  headSize,
  type LanguageModelWeights,
  type LlamaConfig,
  type ScalarModelWeights,
} from '@crucible/nn';
import { formatShape, type NdArray, shapesEqual } from '@crucible/tensor';
import { isRecord } from './is-record.ts';
import { llamaShapes } from './llama-shapes.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { treeFromPaths } from './tree-from-paths.ts';

export interface SpecialTokenIds {
  readonly bos: number;
  /** Tokens that end an answer; the first is the one that training teaches. */
  readonly eos: readonly number[];
  readonly pad: number;
}

export type SavedModel =
  | { readonly kind: 'language'; readonly config: LlamaConfig; readonly weights: LanguageModelWeights }
  | {
      readonly kind: 'scalar';
      readonly config: LlamaConfig;
      readonly weights: ScalarModelWeights;
      /** Subtracted from every score; LlamaForSequenceClassification has no place for it. */
      readonly bias: number;
    };

const architectures = { language: 'LlamaForCausalLM', scalar: 'LlamaForSequenceClassification' } as const;

/** Writes config.json, generation_config.json and model.safetensors into an existing folder. */
export function saveModel(folder: string, model: SavedModel, tokens: SpecialTokenIds): void {
  writeSafetensors(join(folder, 'model.safetensors'), model.weights);
  writeJson(join(folder, 'config.json'), configJson(model, tokens));
  if (model.kind === 'language') {
    writeJson(join(folder, 'generation_config.json'), {
      bos_token_id: tokens.bos,
      eos_token_id: tokens.eos,
      pad_token_id: tokens.pad,
      do_sample: true,
    });
  }
}

/** Reads a folder that `saveModel` or transformers wrote for a Llama model. */
export function loadModel(folder: string): SavedModel {
  const configPath = join(folder, 'config.json');
  const json = readJson(configPath);
  const kind = kindOf(json, configPath);
  const config = parseLlamaConfig(json, configPath);
  const weights = loadWeights(folder, kind, config);
  return kind === 'language'
    ? { kind, config, weights: weights as LanguageModelWeights }
    : { kind, config, weights: weights as ScalarModelWeights, bias: parseBias(json, configPath) };
}

/** Whether a folder holds a language model or a reward model, by its config.json. */
export function readModelKind(folder: string): SavedModel['kind'] {
  const path = join(folder, 'config.json');
  return kindOf(readJson(path), path);
}

/** The tokens that a folder's configuration names; absent ones are undefined. */
export function loadSpecialTokenIds(folder: string): Partial<SpecialTokenIds> {
  const path = join(
    folder,
    existsSync(join(folder, 'generation_config.json')) ? 'generation_config.json' : 'config.json',
  );
  const json = readJson(path);
  const id = (value: unknown): number | undefined => (Number.isInteger(value) ? (value as number) : undefined);
  const eos = (Array.isArray(json['eos_token_id']) ? json['eos_token_id'] : [json['eos_token_id']]).flatMap(
    (value) => id(value) ?? [],
  );
  const bos = id(json['bos_token_id']);
  const pad = id(json['pad_token_id']);
  return {
    ...(bos === undefined ? {} : { bos }),
    ...(eos.length === 0 ? {} : { eos }),
    ...(pad === undefined ? {} : { pad }),
  };
}

/** The key of config.json that holds a reward model's bias. */
const biasKey = 'reward_bias';

function parseBias(json: Readonly<Record<string, unknown>>, path: string): number {
  const bias = json[biasKey] ?? 0;
  if (typeof bias === 'number' && Number.isFinite(bias)) return bias;
  throw invalidInput(`${path}: ${biasKey} is ${JSON.stringify(bias)}, not a number`, { at: path });
}

function configJson(model: SavedModel, tokens: SpecialTokenIds): Record<string, unknown> {
  const { kind, config } = model;
  return {
    architectures: [architectures[kind]],
    model_type: 'llama',
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: tokens.bos,
    eos_token_id: tokens.eos[0],
    pad_token_id: tokens.pad,
    head_dim: headSize(config),
    hidden_act: 'silu',
    hidden_size: config.hiddenSize,
    initializer_range: 0.02,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositions,
    mlp_bias: false,
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.keyValueHeads,
    rms_norm_eps: config.rmsNormEpsilon,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tieEmbeddings,
    torch_dtype: 'float32',
    use_cache: true,
    vocab_size: config.vocabularySize,
    ...(model.kind === 'scalar' ? { id2label: { 0: 'score' }, label2id: { score: 0 }, [biasKey]: model.bias } : {}),
  };
}

function kindOf(json: Readonly<Record<string, unknown>>, path: string): SavedModel['kind'] {
  const [architecture] = Array.isArray(json['architectures']) ? (json['architectures'] as unknown[]) : [];
  for (const kind of ['language', 'scalar'] as const) if (architecture === architectures[kind]) return kind;
  throw invalidInput(
    `${path}: architectures is ${JSON.stringify(json['architectures'])}; supported are ${Object.values(architectures).join(' and ')}`,
    { at: path },
  );
}

function parseLlamaConfig(json: Readonly<Record<string, unknown>>, path: string): LlamaConfig {
  const fail = (what: string): never => {
    throw invalidInput(`${path}: ${what}`, { at: path });
  };
  const number = (key: string, fallback?: number): number => {
    const value = json[key] ?? fallback;
    return typeof value === 'number' && Number.isFinite(value)
      ? value
      : fail(`${key} is ${JSON.stringify(value)}, not a number`);
  };
  // What this decoder does not compute must not be ignored.
  if (json['hidden_act'] !== undefined && json['hidden_act'] !== 'silu')
    fail(`hidden_act is ${JSON.stringify(json['hidden_act'])}; only silu is supported`);
  if (json['attention_bias'] === true || json['mlp_bias'] === true)
    fail('biases in attention or MLP are not supported');
  const rope = json['rope_parameters'] ?? json['rope_scaling'] ?? {};
  if (!isRecord(rope)) return fail(`rope parameters are ${JSON.stringify(rope)}, not an object`);
  const ropeType = rope['rope_type'] ?? rope['type'] ?? 'default';
  if (ropeType !== 'default') fail(`rope type ${JSON.stringify(ropeType)} is not supported; only default is`);
  const heads = number('num_attention_heads');
  const config: LlamaConfig = {
    vocabularySize: number('vocab_size'),
    hiddenSize: number('hidden_size'),
    intermediateSize: number('intermediate_size'),
    layers: number('num_hidden_layers'),
    heads,
    keyValueHeads: number('num_key_value_heads', heads),
    maxPositions: number('max_position_embeddings'),
    rmsNormEpsilon: number('rms_norm_eps', 1e-6),
    ropeTheta: typeof rope['rope_theta'] === 'number' ? rope['rope_theta'] : number('rope_theta', 10_000),
    tieEmbeddings: json['tie_word_embeddings'] === true,
  };
  assertLlamaConfig(config, path);
  const declared = number('head_dim', headSize(config));
  if (declared !== headSize(config))
    fail(`head_dim is ${declared}; only hidden_size / num_attention_heads is supported`);
  return config;
}

function loadWeights(folder: string, kind: SavedModel['kind'], config: LlamaConfig): object {
  const path = join(folder, 'model.safetensors');
  if (!existsSync(path) && existsSync(`${path}.index.json`)) {
    throw invalidInput(`${folder}: the weights are in several files; only one, model.safetensors, is supported`, {
      at: folder,
    });
  }
  const { tensors } = readSafetensors(path);
  const leaves = new Map<string, NdArray>();
  for (const [name, shape] of llamaShapes(kind, config)) {
    const tensor = tensors.get(name);
    if (!tensor) throw invalidInput(`${path}: tensor ${name} is missing`, { at: path });
    if (!shapesEqual(tensor.shape, shape)) {
      throw invalidInput(
        `${path}: tensor ${name} has shape ${formatShape(tensor.shape)}; config.json asks for ${formatShape(shape)}`,
        { at: path },
      );
    }
    leaves.set(name, tensor);
  }
  for (const name of tensors.keys()) {
    if (leaves.has(name) || isRedundant(name, config)) continue;
    throw invalidInput(`${path}: tensor ${name} is not part of the model that config.json describes`, { at: path });
  }
  return treeFromPaths(leaves);
}

/** What checkpoints may hold beside the parameters: a copy of a tied matrix, and frequencies that follow from the base. */
function isRedundant(name: string, { tieEmbeddings }: LlamaConfig): boolean {
  return (tieEmbeddings && name === 'lm_head.weight') || name.endsWith('.rotary_emb.inv_freq');
}

function readJson(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (reason) {
    throw CrucibleError.from(reason);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch (reason) {
    throw invalidInput(`${path}: no valid JSON: ${(reason as Error).message}`, { at: path, cause: reason });
  }
  throw invalidInput(`${path}: no JSON object`, { at: path });
}

function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

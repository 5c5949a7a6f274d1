/** Models as Hugging Face folders: config.json, generation_config.json and the weights, beside the tokenizer's files. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import {
  assertDecoderConfig,
  assertEncoderConfig,
  type DecoderConfig,
  decoderFamily,
  decoderParameters,
  type EncoderConfig,
  encoderFamily,
  encoderParameters,
  type ModelWeights,
  type ParameterSpec,
} from '@crucible/nn';
import { formatShape, type NdArray, shapesEqual, treeFromPaths } from '@crucible/tensor';
import { adapterConfigFile } from './adapter-files.ts';
import { architectureOf, type Described, describe, isDecoder, type ModelKind } from './architectures.ts';
import { type JsonObject, readJsonObject, writeJson } from './json-file.ts';
import { type TensorSource, tensorSources } from './safetensors.ts';
import {
  isSentenceFolder,
  loadSentenceSettings,
  saveSentenceSettings,
  type SentenceSettings,
} from './sentence-folder.ts';
import type { SpecialTokenIds } from './special-token-ids.ts';
import { storedTypes } from './stored-types.ts';
import { WeightFiles, writeWeights, type WriteWeightsOptions } from './weight-files.ts';

interface Labelled {
  /** Names of the classes, by their numbers. */
  readonly labels: readonly string[];
}

/** What a model is, without its weights. */
export type ModelDescription =
  | { readonly kind: 'language'; readonly config: DecoderConfig }
  | {
      readonly kind: 'scalar';
      readonly config: DecoderConfig;
      /** Subtracted from every score; a class of transformers has no place for it. */
      readonly bias: number;
    }
  | (Labelled & { readonly kind: 'classifier'; readonly config: DecoderConfig | EncoderConfig })
  | { readonly kind: 'masked-language'; readonly config: EncoderConfig }
  | (SentenceSettings & { readonly kind: 'embedding'; readonly config: EncoderConfig });

export type SavedModel = ModelDescription & { readonly weights: ModelWeights };

/** Writes config.json, generation_config.json and the weights into an existing folder. */
export function saveModel(
  folder: string,
  model: SavedModel,
  tokens: Partial<SpecialTokenIds>,
  options: WriteWeightsOptions = {},
): void {
  const { weights, ...description } = model;
  saveModelFrom(folder, description, tensorSources(weights), tokens, options);
}

/** Like `saveModel`, with tensors that are made when their turn comes, under the paths of the model's weights. */
export function saveModelFrom(
  folder: string,
  model: ModelDescription,
  tensors: readonly TensorSource[],
  tokens: Partial<SpecialTokenIds>,
  options: WriteWeightsOptions = {},
): void {
  writeWeights(folder, model.kind === 'embedding' ? withoutBody(tensors, model.config) : tensors, options);
  writeJson(join(folder, 'config.json'), configJson(model, tokens, options));
  if (model.kind === 'language') saveGenerationConfig(folder, tokens);
  else rmSync(join(folder, generationFile), { force: true });
  if (model.kind === 'embedding') saveSentenceSettings(folder, model, model.config.hiddenSize);
}

const generationFile = 'generation_config.json';

/** Writes the tokens that answers begin and end with. */
export function saveGenerationConfig(folder: string, tokens: Partial<SpecialTokenIds>): void {
  writeJson(join(folder, generationFile), { ...tokenFields(tokens, true), do_sample: true });
}

/** A class without a head, as an encoder that pools is, has no branch for its body. */
function withoutBody(tensors: readonly TensorSource[], config: EncoderConfig): TensorSource[] {
  const prefix = `${encoderFamily(config).body}.`;
  return tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(prefix, '') }));
}

export interface LoadOptions {
  /** What to make of the folder; one that its config.json does not name must be possible. Default: what it names. */
  readonly kind?: ModelKind;
}

/** Reads a folder that `saveModel` or transformers wrote. Fields that would change the model and are not known are errors. */
export function loadModel(folder: string, options: LoadOptions = {}): SavedModel {
  using opened = openModelWeights(folder, options);
  const leaves = new Map(opened.tensors.map(({ name, read }) => [name, read()]));
  return { ...opened.model, weights: treeFromPaths(leaves) as ModelWeights };
}

/** A model's description, and its tensors, which are read when they are asked for; until `close`. */
export interface OpenedModel extends Disposable {
  readonly model: ModelDescription;
  /** In the order of the parameters; names are the paths of the model's weights, all float32. */
  readonly tensors: readonly TensorSource[];
  readonly close: () => void;
}

/** Opens a folder, and checks all but the values of its weights. */
export function openModelWeights(folder: string, options: LoadOptions = {}): OpenedModel {
  const path = join(folder, 'config.json');
  if (!existsSync(path) && existsSync(join(folder, adapterConfigFile))) {
    throw invalidInput(`${folder} holds an adapter and no model: merge it into its base first`, { at: folder });
  }
  const json = readJsonObject(path);
  const described = describe(json, path, wantedKind(folder, options));
  const model = modelOf(described, folder, json, path);
  if (isDecoderConfig(model.config)) assertDecoderConfig(model.config, path);
  else assertEncoderConfig(model.config, path);
  const files = WeightFiles.open(folder);
  const close = (): void => files.close();
  try {
    return { model, tensors: matchTensors(files, described), close, [Symbol.dispose]: close };
  } catch (reason) {
    close();
    throw reason;
  }
}

/** What kind of model a folder holds, by its config.json. */
export function readModelKind(folder: string): ModelKind {
  const path = join(folder, 'config.json');
  return describe(readJsonObject(path), path, wantedKind(folder, {})).kind;
}

/** A folder of sentence-transformers is one for embeddings, whatever its encoder was trained as. */
function wantedKind(folder: string, { kind }: LoadOptions): ModelKind | undefined {
  return kind ?? (isSentenceFolder(folder) ? 'embedding' : undefined);
}

function modelOf(described: Described, folder: string, json: JsonObject, path: string): ModelDescription {
  switch (described.kind) {
    case 'language':
    case 'masked-language':
      return { kind: described.kind, config: described.config } as ModelDescription;
    case 'scalar':
      return { kind: 'scalar', config: described.config, bias: parseBias(json, path) };
    case 'classifier':
      return { kind: 'classifier', config: described.config, labels: described.labels };
    case 'embedding':
      return { kind: 'embedding', config: described.config, ...loadSentenceSettings(folder) };
  }
}

export function isDecoderConfig(config: DecoderConfig | EncoderConfig): config is DecoderConfig {
  return 'keyValueHeads' in config;
}

/** Parameters of a model, in the order of its tree. */
export function parametersOf(model: ModelDescription): Iterable<ParameterSpec> {
  switch (model.kind) {
    case 'language':
      return decoderParameters(model.config, { kind: 'language' });
    case 'scalar':
      return decoderParameters(model.config, { kind: 'scores', count: 1 });
    case 'classifier': {
      const { config, labels } = model;
      return isDecoderConfig(config)
        ? decoderParameters(config, { kind: 'scores', count: labels.length })
        : encoderParameters(config, { kind: 'classifier', labels: labels.length });
    }
    case 'masked-language':
    case 'embedding':
      return encoderParameters(model.config, { kind: model.kind });
  }
}

/** The tensors of the files under the paths of the model's parameters; throws when one is missing or too many. */
function matchTensors(files: WeightFiles, described: Described): TensorSource[] {
  const { family } = described;
  const stored = new Map(Array.from(files.names(), (name) => [canonicalName(name, family.body), name]));
  const specs = parametersOf(
    described.kind === 'embedding'
      ? { ...described, pooling: { mode: 'mean', normalize: false } }
      : ({ ...described, bias: 0 } as ModelDescription),
  );
  const fail = (name: string, what: string): never => {
    const path = files.pathOf(name);
    throw invalidInput(`${path}: tensor ${name} ${what}`, { at: path });
  };
  const used = new Set<string>();
  const tensors: TensorSource[] = [];
  for (const { path, shape, optional } of specs) {
    const name = stored.get(path);
    const tensor = name === undefined ? undefined : files.find(name);
    if (!tensor) {
      if (optional) continue;
      return fail(path, 'is missing');
    }
    used.add(tensor.name);
    if (!shapesEqual(tensor.shape, shape))
      fail(tensor.name, `has shape ${formatShape(tensor.shape)}; config.json asks for ${formatShape(shape)}`);
    if (storedTypes[tensor.dtype].dtype !== 'float32')
      fail(tensor.name, `has dtype ${tensor.dtype}; numbers with a fraction are needed`);
    const read = (): NdArray => files.read(tensor.name);
    tensors.push({ name: path, dtype: 'float32', shape, read });
  }
  for (const [path, name] of stored) {
    if (used.has(name) || isRedundant(path, described)) continue;
    fail(name, 'is not part of the model that config.json describes');
  }
  return tensors;
}

/**
 * A parameter's path for a tensor's name: with the branch of the body, which files of a class without a head lack, and
 * with the names that the oldest checkpoints have for a norm's scale and shift.
 */
export function canonicalName(name: string, body: string): string {
  const renamed = name
    .replace(/\bLayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/\bLayerNorm\.beta$/, 'LayerNorm.bias');
  const [first] = renamed.split('.');
  return first === body || headBranches.has(first!) ? renamed : `${body}.${renamed}`;
}

/** Branches that stand beside the body. */
export const headBranches = new Set(['lm_head', 'score', 'cls', 'classifier']);

/** What checkpoints may hold beside the parameters: copies of tied ones, what follows from config.json, other heads. */
function isRedundant(path: string, { kind, family, config }: Described): boolean {
  const [first] = path.split('.');
  if (!isDecoder(family)) return family.isRedundant(path) || (kind === 'embedding' && headBranches.has(first!));
  if (first === family.body) return family.isBuffer(path.slice(family.body.length + 1));
  return path === 'lm_head.weight' && (kind !== 'language' || config.tieEmbeddings);
}

/** The key of config.json that holds a reward model's bias. */
const biasKey = 'reward_bias';

function parseBias(json: JsonObject, path: string): number {
  const bias = json[biasKey] ?? 0;
  if (typeof bias === 'number' && Number.isFinite(bias)) return bias;
  throw invalidInput(`${path}: ${biasKey} is ${JSON.stringify(bias)}, not a number`, { at: path });
}

/** The fields of a model's config.json. */
export function configJson(
  model: ModelDescription,
  tokens: Partial<SpecialTokenIds>,
  { floats = 'F32' }: WriteWeightsOptions,
): Record<string, unknown> {
  const { kind, config } = model;
  const family = isDecoderConfig(config) ? decoderFamily(config) : encoderFamily(config);
  const labels = kind === 'classifier' ? model.labels : kind === 'scalar' ? ['score'] : undefined;
  return {
    architectures: [architectureOf(family, kind)],
    model_type: family.name,
    initializer_range: 0.02,
    torch_dtype: { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }[floats],
    use_cache: true,
    ...tokenFields(tokens, false),
    ...family.formatConfig(config as never),
    ...(labels && {
      id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
      label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    }),
    ...(kind === 'scalar' && { [biasKey]: model.bias }),
  };
}

/** Fields of tokens that are known; config.json takes one end of an answer, generation_config.json all. */
function tokenFields({ bos, eos, pad }: Partial<SpecialTokenIds>, all: boolean): Record<string, unknown> {
  return {
    ...(bos !== undefined && { bos_token_id: bos }),
    ...(eos !== undefined && { eos_token_id: all ? eos : eos[0] }),
    ...(pad !== undefined && { pad_token_id: pad }),
  };
}

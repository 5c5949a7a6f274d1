/**
 * Adapters as Hugging Face's PEFT saves them: adapter_config.json and adapter_model.safetensors. LORA, PREFIX_TUNING and
 * PROMPT_TUNING are read and written; fields that would change what is computed, and that we do not compute, are refused by
 * name.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import {
  type AdapterConfig,
  chosenTargets,
  ConfigFields,
  type DecoderConfig,
  decoderFamily,
  type EncoderConfig,
  encoderFamily,
  loraParts,
  loraTargets,
  type ParameterTree,
  virtualShape,
} from '@crucible/nn';
import {
  flatten,
  formatShape,
  isNdArray,
  type NdArray,
  type Shape,
  shapesEqual,
  treeFromPaths,
} from '@crucible/tensor';
import { adapterConfigFile, adapterWeightsFile } from './adapter-files.ts';
import type { ModelKind } from './architectures.ts';
import { isRecord } from './is-record.ts';
import { readJsonObject, writeJson } from './json-file.ts';
import { canonicalName, headBranches, isDecoderConfig, type ModelDescription, parametersOf } from './model-folder.ts';
import { readSafetensors, tensorSources, writeSafetensors } from './safetensors.ts';

export interface SavedAdapter {
  readonly config: AdapterConfig;
  readonly parameters: ParameterTree<NdArray>;
}

/** An adapter whose parameters have not been matched with a model's. */
export interface OpenedAdapter {
  readonly config: AdapterConfig;
  /** What it calls the model that it was trained on: a name or a path, or nothing. */
  readonly base: string;
}

const kinds: Readonly<Record<string, AdapterConfig['kind']>> = {
  LORA: 'lora',
  PREFIX_TUNING: 'prefix',
  PROMPT_TUNING: 'prompt',
};

/** What PEFT puts before the names of parameters. */
const prefix = 'base_model.model.';

/** Reads adapter_config.json. */
export function openAdapter(folder: string): OpenedAdapter {
  const path = join(folder, adapterConfigFile);
  const json = readJsonObject(path);
  const fields = new ConfigFields(json, path);
  const type = fields.take('peft_type');
  const kind = typeof type === 'string' && Object.hasOwn(kinds, type) ? kinds[type]! : undefined;
  if (kind === undefined)
    return fields.fail(`peft_type is ${JSON.stringify(type)}; supported are ${Object.keys(kinds).join(', ')}`);
  fields.ignore('auto_mapping', 'inference_mode', 'peft_version', 'revision', 'task_type', 'modules_to_save');
  const base = fields.take('base_model_name_or_path');
  const config = kind === 'lora' ? parseLora(fields) : parseVirtual(fields, kind);
  fields.finish();
  return { config, base: typeof base === 'string' ? base : '' };
}

/** Reads an adapter of a model; throws when it does not fit it. */
export function loadAdapter(folder: string, model: ModelDescription): SavedAdapter {
  const { config } = openAdapter(folder);
  const path = join(folder, adapterWeightsFile);
  if (!existsSync(path)) {
    const other = readdirSync(folder).find((entry) => entry.endsWith('.bin'));
    const why = other === undefined ? '' : `; ${other} may run code of its author, and is not read`;
    throw invalidInput(`${path}: there is no such file${why}`, { at: path });
  }
  const { body } = familyOf(model.config);
  const leaves = new Map<string, NdArray>();
  for (const [name, tensor] of readSafetensors(path).tensors) {
    // Copies of the model's own, which PEFT keeps beside those of a head.
    if (name.includes('.base_layer.')) continue;
    const own = name.startsWith(prefix) ? canonicalName(name.slice(prefix.length), body) : name;
    if (tensor.dtype !== 'float32')
      throw invalidInput(`${path}: tensor ${name} has dtype ${tensor.dtype}; float32 is needed`, { at: path });
    leaves.set(own, tensor);
  }
  const adapter = { config, parameters: treeFromPaths(leaves) as ParameterTree<NdArray> };
  assertAdapterFits(adapter, model, path);
  return adapter;
}

/** Throws unless the model has what the adapter changes, in its sizes; `where` is named. */
export function assertAdapterFits({ config, parameters }: SavedAdapter, model: ModelDescription, where: string): void {
  const fail = (what: string): never => {
    throw invalidInput(`${where}: ${what}`, { at: where });
  };
  const expectShape = (name: string, { shape }: NdArray, expected: Shape): void => {
    if (!shapesEqual(shape, expected))
      fail(`${name} has shape ${formatShape(shape)}; the model asks for ${formatShape(expected)}`);
  };
  const leaves = flatten<NdArray>(parameters, isNdArray);
  if (config.kind !== 'lora') {
    if (!isDecoderConfig(model.config)) return fail(`a ${config.kind} goes before the texts of decoders alone`);
    const [first, ...others] = leaves;
    if (first?.path !== 'prompt_embeddings') return fail('prompt_embeddings is missing');
    if (others.length > 0) fail(`tensor ${others[0]!.path} is more than the virtual tokens; it is not supported`);
    expectShape('prompt_embeddings', first.leaf, virtualShape(config, model.config));
    return;
  }
  const embedding = leaves.find(({ path }) => path.includes('lora_embedding_'));
  if (embedding) fail(`${embedding.path}: LoRA of embeddings is not supported`);
  const { factors, replaced } = loraParts(parameters, isNdArray);
  if (factors.size + replaced.size === 0) fail('there are no parameters');
  const specs = [...parametersOf(model)];
  const targets = loraTargets(specs);
  for (const [module, { down, up }] of factors) {
    const target = targets.get(module);
    if (!target) return fail(`the model has no matrix ${module}`);
    const rank = down.shape[0] ?? 0;
    expectShape(`${module}.lora_A`, down, [rank, target.inputs]);
    expectShape(`${module}.lora_B`, up, [target.outputs, rank]);
  }
  const shapes = new Map(specs.map(({ path, shape }) => [path, shape]));
  for (const [path, array] of replaced) {
    const shape = shapes.get(path);
    if (!shape) return fail(`tensor ${path} is neither of LoRA nor a parameter of the model`);
    expectShape(path, array, shape);
  }
}

/** Writes an adapter into an existing folder; `base` names the model that it belongs to. */
export function saveAdapter(
  folder: string,
  { config, parameters }: SavedAdapter,
  model: ModelDescription,
  base: string,
): void {
  const { body } = familyOf(model.config);
  // A class without a head, as an encoder that pools is, has no branch for its body.
  const given = (path: string): string => (model.kind === 'embedding' ? path.replace(`${body}.`, '') : path);
  const tensors = tensorSources(parameters).map((tensor) => ({
    ...tensor,
    name: config.kind === 'lora' ? prefix + given(tensor.name) : tensor.name,
  }));
  writeSafetensors(join(folder, adapterWeightsFile), tensors);
  writeJson(join(folder, adapterConfigFile), {
    base_model_name_or_path: base,
    inference_mode: true,
    task_type: taskTypes[model.kind],
    ...(config.kind === 'lora'
      ? formatLora(config, parameters, model, given)
      : {
          peft_type: config.kind === 'prefix' ? 'PREFIX_TUNING' : 'PROMPT_TUNING',
          num_virtual_tokens: config.tokens,
          ...formatVirtual(config, model.config as DecoderConfig),
        }),
  });
}

const taskTypes: Readonly<Record<ModelKind, string | null>> = {
  language: 'CAUSAL_LM',
  scalar: 'SEQ_CLS',
  classifier: 'SEQ_CLS',
  'masked-language': null,
  embedding: 'FEATURE_EXTRACTION',
};

type LoraAdapter = Extract<AdapterConfig, { kind: 'lora' }>;
type VirtualAdapter = Exclude<AdapterConfig, LoraAdapter>;

function parseLora(fields: ConfigFields): LoraAdapter {
  fields.only('bias', 'none');
  for (const key of ['use_dora', 'lora_bias', 'use_qalora', 'ensure_weight_tying']) fields.only(key, false);
  // What changes the weights of the model itself before the first step is not in the adapter.
  fields.only('init_lora_weights', true, false, 'gaussian', 'orthogonal', 'eva');
  const quantised = fields.take('loftq_config');
  if (isRecord(quantised) && Object.keys(quantised).length > 0) fields.fail('loftq_config is not supported');
  // Which matrices they are is seen by the tensors; how they began and how they are run changes nothing.
  fields.ignore('exclude_modules', 'layers_to_transform', 'layers_pattern', 'fan_in_fan_out', 'megatron_core');
  fields.ignore('eva_config', 'qalora_group_size', 'runtime_config');
  return {
    kind: 'lora',
    rank: fields.number('r', 8),
    alpha: fields.number('lora_alpha', 8),
    rankStabilized: fields.flag('use_rslora', false),
    dropout: fields.number('lora_dropout', 0),
    targets: parseTargets(fields),
    ...parsePattern(fields, 'rank_pattern', 'rankPattern'),
    ...parsePattern(fields, 'alpha_pattern', 'alphaPattern'),
  };
}

function parseTargets(fields: ConfigFields): string[] {
  const targets = fields.take('target_modules') ?? [];
  if (typeof targets === 'string') return [targets];
  if (Array.isArray(targets) && targets.every((each): each is string => typeof each === 'string')) return targets;
  return fields.fail(`target_modules is ${JSON.stringify(targets)}; names of modules are needed`);
}

function parsePattern<Key extends string>(
  fields: ConfigFields,
  name: string,
  key: Key,
): Partial<Record<Key, Record<string, number>>> {
  const pattern = fields.take(name) ?? {};
  if (!isRecord(pattern)) return fields.fail(`${name} is no object`);
  for (const [part, value] of Object.entries(pattern)) {
    if (typeof value !== 'number') fields.fail(`${name}: ${part} is ${JSON.stringify(value)}, not a number`);
    try {
      new RegExp(part);
    } catch {
      fields.fail(`${name}: ${part} is no regular expression`);
    }
  }
  return (Object.keys(pattern).length === 0 ? {} : { [key]: pattern }) as Partial<Record<Key, Record<string, number>>>;
}

function parseVirtual(fields: ConfigFields, kind: VirtualAdapter['kind']): VirtualAdapter {
  // Of networks that made the virtual tokens in training, and of how they began; sizes are seen by the tensor.
  fields.ignore('encoder_hidden_size', 'prefix_projection', 'init_weights', 'num_layers', 'num_attention_heads');
  fields.ignore('token_dim', 'prompt_tuning_init', 'prompt_tuning_init_text', 'tokenizer_name_or_path');
  fields.ignore('tokenizer_kwargs');
  fields.only('num_transformer_submodules', 1);
  const tokens = fields.number('num_virtual_tokens');
  if (!Number.isInteger(tokens) || tokens < 1)
    fields.fail(`num_virtual_tokens is ${tokens}; a whole number from 1 is needed`);
  return { kind, tokens };
}

function formatLora(
  config: LoraAdapter,
  parameters: ParameterTree<NdArray>,
  model: ModelDescription,
  given: (path: string) => string,
): Record<string, unknown> {
  const { factors, replaced } = loraParts(parameters, isNdArray);
  const saved = [...replaced.keys()].map((path) => {
    const [first] = path.split('.');
    return headBranches.has(first!) ? first! : given(path.slice(0, path.lastIndexOf('.')));
  });
  const isByColumns = [...loraTargets(parametersOf(model)).values()].some(({ byColumns }) => byColumns);
  return {
    peft_type: 'LORA',
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    use_rslora: config.rankStabilized,
    bias: 'none',
    fan_in_fan_out: isByColumns,
    target_modules: shortNames([...factors.keys()], model).map(given),
    modules_to_save: saved.length === 0 ? null : [...new Set(saved)],
    rank_pattern: config.rankPattern ?? {},
    alpha_pattern: config.alphaPattern ?? {},
  };
}

/** The last parts of the modules' names where they name no others, or else the whole names. */
function shortNames(modules: readonly string[], model: ModelDescription): string[] {
  const ends = [...new Set(modules.map((module) => module.split('.').at(-1)!))];
  if (ends.length === 0) return [];
  const named = chosenTargets(parametersOf(model), ends);
  return named.length === modules.length ? ends : [...modules];
}

function formatVirtual(config: VirtualAdapter, model: DecoderConfig): Record<string, unknown> {
  const [, width] = virtualShape(config, model);
  const { layers, heads, keyValueHeads } = model;
  const isPrefix = config.kind === 'prefix';
  return {
    token_dim: isPrefix ? width / (2 * layers) : width,
    num_layers: layers,
    num_attention_heads: isPrefix ? keyValueHeads : heads,
    num_transformer_submodules: 1,
    ...(isPrefix ? { prefix_projection: false } : { prompt_tuning_init: 'RANDOM' }),
  };
}

function familyOf(config: DecoderConfig | EncoderConfig): { readonly body: string } {
  return isDecoderConfig(config) ? decoderFamily(config) : encoderFamily(config);
}

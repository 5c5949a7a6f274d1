/** A language model as GGUF, as llama.cpp reads it: its names of tensors, its order of rows, its metadata. */
import { basename } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import { type DecoderConfig, decoderFamily, headSize, ropeFrequencies } from '@crucible/nn';
import type { Shape } from '@crucible/tensor';
import { openModelWeights } from '../model-folder.ts';
import type { TensorSource } from '../safetensors.ts';
import { loadSpecialTokenIds } from '../special-token-ids.ts';
import { blockSize, type GgmlType } from './ggml-types.ts';
import { ggufTokenizer } from './gguf-tokenizer.ts';
import { type GgufTensor, type MetadataValue, writeGguf } from './gguf-writer.ts';

export const ggufTypes = ['f32', 'f16', 'q8_0', 'q4_0'] as const satisfies readonly GgmlType[];

export type GgufType = (typeof ggufTypes)[number];

/** llama.cpp's numbers for what most tensors of a file are. */
const fileType: Readonly<Record<GgufType, number>> = { f32: 0, f16: 1, q4_0: 2, q8_0: 7 };

export interface GgufOptions {
  /** How matrices are stored. Default: f16. With q4_0, embeddings and the head are q8_0; what is no matrix is always f32. */
  readonly type?: GgufType;
  /** Default: the name of the folder. */
  readonly name?: string;
}

/** Writes the language model of a folder, with its tokenizer, into one file. */
export function exportGguf(
  folder: string,
  path: string,
  { type = 'f16', name = basename(folder) }: GgufOptions = {},
): void {
  using opened = openModelWeights(folder);
  const { model, tensors } = opened;
  if (model.kind !== 'language')
    throw invalidInput(
      `${folder}: it holds a model of the kind ${model.kind}; GGUF is written for language models alone`,
      {
        at: folder,
      },
    );
  const { config } = model;
  assertSupported(config, folder);
  const metadata = new Map<string, MetadataValue>([
    ['general.architecture', { type: 'string', value: config.family }],
    ['general.name', { type: 'string', value: name }],
    ['general.file_type', { type: 'uint32', value: fileType[type] }],
    ['general.quantization_version', { type: 'uint32', value: 2 }],
    ...architecture(config),
    ...ggufTokenizer(folder, config.vocabularySize, loadSpecialTokenIds(folder)),
  ]);
  const parts = tensors.map((tensor) => partOf(tensor, config, type));
  writeGguf(path, metadata, [...parts, ...frequencyFactors(config)]);
}

/** Throws for what llama.cpp computes otherwise, or not at all. */
function assertSupported(config: DecoderConfig, folder: string): void {
  const fail = (what: string): never => {
    throw invalidInput(`${folder}: llama.cpp has no ${what}`, { at: folder });
  };
  if (config.family === 'gpt2') {
    if (config.scaleScores === false || config.scaleScoresByLayer) fail('scores of GPT-2 that are scaled otherwise');
    if (!/^gelu_(new|pytorch_tanh|fast)$/.test(config.activation))
      fail(`GPT-2 with the activation ${config.activation}`);
    return;
  }
  if (config.activation !== undefined && config.activation !== 'swish') fail(`activation ${config.activation}`);
  if (config.slidingWindow) fail(`sliding window for ${config.family}`);
  if (config.family === 'qwen3' && config.attentionBias) fail('biases of attention for qwen3');
  const { ropeScaling: scaling } = config;
  if (scaling?.type !== 'yarn') return;
  if (!scaling.truncate) fail('YaRN without truncation');
  if (scaling.betaFast !== 32 || scaling.betaSlow !== 1) fail('YaRN with other limits than 32 and 1 turns');
}

function architecture(config: DecoderConfig): [string, MetadataValue][] {
  const { family } = config;
  const uint = (key: string, value: number): [string, MetadataValue] => [`${family}.${key}`, { type: 'uint32', value }];
  const float = (key: string, value: number): [string, MetadataValue] => [
    `${family}.${key}`,
    { type: 'float32', value },
  ];
  const sizes = [
    uint('context_length', config.maxPositions),
    uint('embedding_length', config.hiddenSize),
    uint('block_count', config.layers),
    uint('feed_forward_length', config.intermediateSize),
    uint('attention.head_count', config.heads),
    uint('attention.head_count_kv', config.keyValueHeads),
    uint('vocab_size', config.vocabularySize),
  ];
  if (config.family === 'gpt2') return [...sizes, float('attention.layer_norm_epsilon', config.layerNormEpsilon)];
  const size = headSize(config);
  const { ropeScaling: scaling } = config;
  const rotary = [
    float('attention.layer_norm_rms_epsilon', config.rmsNormEpsilon),
    float('rope.freq_base', config.ropeTheta),
    uint('rope.dimension_count', size),
    uint('attention.key_length', size),
    uint('attention.value_length', size),
  ];
  const typed = (value: string): [string, MetadataValue] => [`${family}.rope.scaling.type`, { type: 'string', value }];
  switch (scaling?.type) {
    case 'linear':
      return [...sizes, ...rotary, typed('linear'), float('rope.scaling.factor', scaling.factor)];
    case 'yarn':
      return [
        ...sizes,
        ...rotary,
        typed('yarn'),
        float('rope.scaling.factor', scaling.factor),
        uint('rope.scaling.original_context_length', scaling.originalMaxPositions),
        // llama.cpp multiplies it by the growth that the factor alone asks for.
        float('rope.scaling.attn_factor', scaling.attentionFactor / (1 + 0.1 * Math.log(scaling.factor))),
      ];
    case 'dynamic':
    case 'llama3':
    case undefined:
      return [...sizes, ...rotary];
  }
}

/** What Llama 3.1 divides the rotary frequencies by, which llama.cpp keeps as a tensor. */
function frequencyFactors(config: DecoderConfig): GgufTensor[] {
  if (config.family === 'gpt2' || config.ropeScaling?.type !== 'llama3') return [];
  const options = { size: headSize(config), theta: config.ropeTheta };
  const plain = ropeFrequencies(options).frequencies;
  const { frequencies } = ropeFrequencies({ ...options, scaling: config.ropeScaling });
  const read = (): Float32Array => Float32Array.from(plain, (frequency, i) => frequency / frequencies[i]!);
  return [{ name: 'rope_freqs.weight', shape: [plain.length], type: 'f32', read }];
}

/** Names of tensors in llama.cpp, by the last parts of ours. */
const names = new Map<string, string>([
  ['embed_tokens', 'token_embd'],
  ['norm', 'output_norm'],
  ['lm_head', 'output'],
  ['input_layernorm', 'attn_norm'],
  ['self_attn.q_proj', 'attn_q'],
  ['self_attn.k_proj', 'attn_k'],
  ['self_attn.v_proj', 'attn_v'],
  ['self_attn.o_proj', 'attn_output'],
  ['self_attn.q_norm', 'attn_q_norm'],
  ['self_attn.k_norm', 'attn_k_norm'],
  ['post_attention_layernorm', 'ffn_norm'],
  ['mlp.gate_proj', 'ffn_gate'],
  ['mlp.up_proj', 'ffn_up'],
  ['mlp.down_proj', 'ffn_down'],
  ['wte', 'token_embd'],
  ['wpe', 'position_embd'],
  ['ln_f', 'output_norm'],
  ['ln_1', 'attn_norm'],
  ['attn.c_attn', 'attn_qkv'],
  ['attn.c_proj', 'attn_output'],
  ['ln_2', 'ffn_norm'],
  ['mlp.c_fc', 'ffn_up'],
  ['mlp.c_proj', 'ffn_down'],
]);

function partOf({ name, shape, read }: TensorSource, config: DecoderConfig, wanted: GgufType): GgufTensor {
  const [, layer, part, kind] = /^(?:[a-z]+\.)??(?:(?:layers|h)\.(\d+)\.)?([a-z_0-9.]+)\.(weight|bias)$/.exec(
    withoutBody(name, config),
  )!;
  const own = names.get(part!)!;
  const values = (): Float32Array => read().data as Float32Array;
  const full = layer === undefined ? `${own}.${kind}` : `blk.${layer}.${own}.${kind}`;
  // The matrices of GPT-2's layers are [in, out].
  if (config.family === 'gpt2' && layer !== undefined && shape.length === 2) {
    const turned = shape.toReversed();
    return { name: full, shape: turned, type: typeOf(own, turned, wanted), read: () => transposed(values(), shape) };
  }
  const type = typeOf(own, shape, wanted);
  const heads = { attn_q: config.heads, attn_k: config.keyValueHeads }[own];
  if (config.family === 'llama' && heads !== undefined)
    return { name: full, shape, type, read: () => interleaved(values(), shape[0]!, heads) };
  return { name: full, shape, type, read: values };
}

function withoutBody(name: string, config: DecoderConfig): string {
  return name.replace(new RegExp(`^${decoderFamily(config).body}\\.`), '');
}

function typeOf(name: string, shape: Shape, wanted: GgufType): GgmlType {
  if (shape.length < 2 || name === 'position_embd') return 'f32';
  const type = wanted === 'q4_0' && (name === 'token_embd' || name === 'output') ? 'q8_0' : wanted;
  // Rows that no whole blocks fill.
  return shape.at(-1)! % blockSize(type) === 0 ? type : 'f16';
}

function transposed(values: Float32Array, [rows, columns]: Shape): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows!; row++)
    for (let column = 0; column < columns!; column++) result[column * rows! + row] = values[row * columns! + column]!;
  return result;
}

/**
 * llama.cpp turns neighbours of a head where transformers turns an element of its first half with one of its second, so
 * rows of queries and keys (or elements of their biases) change places: those of a head come as 0, half, 1, half + 1, …
 */
function interleaved(values: Float32Array, rows: number, heads: number): Float32Array {
  const width = values.length / rows;
  const half = rows / heads / 2;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(row / (2 * half));
    const place = row % (2 * half);
    const target = head * 2 * half + (place % half) * 2 + Math.floor(place / half);
    result.set(values.subarray(row * width, (row + 1) * width), target * width);
  }
  return result;
}

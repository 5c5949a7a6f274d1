/** Models that transformers wrote, with its answers: see fixtures/llama.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FloatArray, floats } from '@crucible/tensor';
import type { LlamaConfig } from '../llama-config.ts';
import type { LanguageModelWeights, ScalarModelWeights } from '../llama-parameters.ts';

export interface LanguageFixture {
  readonly config: LlamaConfig;
  readonly weights: LanguageModelWeights;
  readonly expected: {
    readonly ids: number[][];
    readonly logits: number[][][];
    readonly loss: number;
    /** Of each parameter's gradient: its norm, and its product with the parameter. */
    readonly gradients: Record<string, [number, number]>;
    readonly sequences: number[][];
    /** Logits of each of `sequences`, run alone. */
    readonly alone: number[][][];
    readonly positions: number[][];
    /** Logits of the first row of `ids` at `positions`. */
    readonly at_positions: number[][];
  };
}

export interface ScalarFixture {
  readonly config: LlamaConfig;
  readonly weights: ScalarModelWeights;
  readonly expected: {
    readonly ids: number[][];
    readonly lengths: number[];
    /** Of each row, at its last token that is not padding. */
    readonly scores: number[];
    /** Of every token, padding too. */
    readonly each: number[][];
  };
}

interface HuggingFaceConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_parameters: { readonly rope_theta: number };
  readonly tie_word_embeddings: boolean;
}

interface StoredTensor {
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

export function readLanguageFixture(name: 'tied' | 'untied'): LanguageFixture {
  return readFixture(name) as LanguageFixture;
}

export function readScalarFixture(): ScalarFixture {
  return readFixture('scalar') as ScalarFixture;
}

function readFixture(name: string): unknown {
  const folder = join(import.meta.dirname, '../../fixtures/generated', name);
  const json = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as HuggingFaceConfig;
  const config: LlamaConfig = {
    vocabularySize: json.vocab_size,
    hiddenSize: json.hidden_size,
    intermediateSize: json.intermediate_size,
    layers: json.num_hidden_layers,
    heads: json.num_attention_heads,
    keyValueHeads: json.num_key_value_heads,
    maxPositions: json.max_position_embeddings,
    rmsNormEpsilon: json.rms_norm_eps,
    ropeTheta: json.rope_parameters.rope_theta,
    tieEmbeddings: json.tie_word_embeddings,
  };
  return {
    config,
    weights: readWeights(join(folder, 'model.safetensors'), config.layers),
    expected: JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as unknown,
  };
}

/** As little of safetensors as the fixtures need; libs/checkpoint, which reads the format in full, depends on us. */
function readWeights(path: string, layers: number): object {
  const file = readFileSync(path);
  const dataStart = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, dataStart)) as Record<string, StoredTensor>;
  const root: Record<string, unknown> = {
    model: { layers: Array.from({ length: layers }, () => ({})) },
  };
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const bytes = Uint8Array.from(file.subarray(dataStart + offsets[0], dataStart + offsets[1]));
    const keys = name.split('.');
    const last = keys.pop()!;
    const branch = keys.reduce((at, key) => (at[key] ??= {}) as Record<string, unknown>, root);
    branch[last] = widened(dtype, shape, new DataView(bytes.buffer));
  }
  return root;
}

function widened(dtype: StoredTensor['dtype'], shape: number[], view: DataView): FloatArray {
  const count = shape.reduce((product, size) => product * size, 1);
  const value = (i: number): number => {
    if (dtype === 'F32') return view.getFloat32(4 * i, true);
    return dtype === 'F16' ? halfToNumber(view.getUint16(2 * i, true)) : bfloatToNumber(view.getUint16(2 * i, true));
  };
  return floats(
    shape,
    Array.from({ length: count }, (_, i) => value(i)),
  );
}

/** IEEE 754 binary16: a sign, five bits of exponent, ten of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** bfloat16: a sign, eight bits of exponent, seven of fraction. */
function bfloatToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 7) & 0xff;
  return exponent === 0 ? 0 : sign * (128 + (bits & 0x7f)) * 2 ** (exponent - 134);
}

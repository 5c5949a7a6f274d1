/**
 * Models in few bits as folders: docs/adapters.md describes the layout. For inference here alone; the model that they were
 * made from is what others read, and what is trained.
 */
import { join } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import {
  type DecoderConfig,
  decoderParameters,
  loraTargets,
  type ModelWeights,
  type QuantizedWeights,
} from '@crucible/nn';
import {
  blocksOf,
  formatShape,
  type NdArray,
  type QuantizedBits,
  quantizedBlock,
  QuantizedMatrix,
  type Shape,
  shapesEqual,
  treeFromPaths,
} from '@crucible/tensor';
import { describe, type ModelKind } from './architectures.ts';
import { isRecord } from './is-record.ts';
import { type JsonObject, readJsonObject, writeJson } from './json-file.ts';
import { configJson, loadModel, readModelKind, saveGenerationConfig } from './model-folder.ts';
import { SafetensorsReader, tensorSources, writeSafetensors } from './safetensors.ts';
import type { SpecialTokenIds } from './special-token-ids.ts';
import { storedTypes } from './stored-types.ts';

/** A language model, some of whose matrices may have few bits. */
export interface LanguageModel {
  readonly config: DecoderConfig;
  /** Without those. */
  readonly weights: ModelWeights;
  readonly quantized: QuantizedWeights;
}

/** How the few bits were chosen; for people. */
export interface QuantizationRecord {
  readonly method: string;
  readonly bits: number;
  readonly headBits: number;
}

const method = 'crucible';

/** Writes config.json, generation_config.json and model.safetensors into an existing folder. */
export function saveQuantizedModel(
  folder: string,
  { config, weights, quantized }: LanguageModel,
  record: QuantizationRecord,
  tokens: Partial<SpecialTokenIds>,
): void {
  const parts = Array.from(quantized, ([module, { bits, rows, columns, packed, scales, zeros }]) => {
    const blocks = blocksOf(columns);
    return [
      { name: `${module}.weight_packed`, shape: [rows, blocks, (quantizedBlock * bits) / 8], bytes: packed },
      { name: `${module}.weight_zeros`, shape: [rows, blocks], bytes: zeros },
      {
        name: `${module}.weight_scales`,
        dtype: 'float32' as const,
        shape: [rows, blocks],
        read: () => floatsOf([rows, blocks], scales),
      },
    ];
  }).flat();
  writeSafetensors(join(folder, 'model.safetensors'), [...tensorSources(weights), ...parts]);
  writeJson(join(folder, 'config.json'), {
    ...configJson({ kind: 'language', config }, tokens, {}),
    quantization_config: {
      quant_method: method,
      version: 1,
      block_size: quantizedBlock,
      method: record.method,
      bits: record.bits,
      head_bits: record.headBits,
    },
  });
  saveGenerationConfig(folder, tokens);
}

/** What the model of a folder is for, of few bits or not: of few are language models alone. */
export function readServedKind(folder: string): ModelKind {
  const { quantization_config: quantization } = readJsonObject(join(folder, 'config.json'));
  return quantization === undefined || quantization === null ? readModelKind(folder) : 'language';
}

/** Reads a language model, of few bits or not. */
export function loadLanguageModel(folder: string): LanguageModel {
  const path = join(folder, 'config.json');
  const { quantization_config: quantization, ...json } = readJsonObject(path);
  if (quantization === undefined || quantization === null) {
    const model = loadModel(folder);
    if (model.kind !== 'language') throw invalidInput(`${folder} holds no language model`, { at: 'uri' });
    return { config: model.config, weights: model.weights, quantized: new Map() };
  }
  assertOurs(quantization, path);
  const { kind, config } = describe(json, path);
  if (kind !== 'language') throw invalidInput(`${path}: of few bits are language models alone`, { at: path });
  return {
    config: config,
    ...readTensors(join(folder, 'model.safetensors'), config),
  };
}

function assertOurs(quantization: unknown, path: string): void {
  const fields: JsonObject = isRecord(quantization) ? quantization : {};
  const expected = { quant_method: method, version: 1, block_size: quantizedBlock };
  for (const [key, value] of Object.entries(expected)) {
    if (fields[key] === value) continue;
    throw invalidInput(
      `${path}: quantization_config.${key} is ${JSON.stringify(fields[key])}; only ${JSON.stringify(value)} is supported`,
      { at: path },
    );
  }
}

function readTensors(path: string, config: DecoderConfig): Omit<LanguageModel, 'config'> {
  using reader = new SafetensorsReader(path);
  const fail = (name: string, what: string): never => {
    throw invalidInput(`${path}: tensor ${name} ${what}`, { at: path });
  };
  const used = new Set<string>();
  const find = (name: string, type: 'U8' | 'float') => {
    const tensor = reader.tensors.get(name) ?? fail(name, 'is missing');
    const isRight = type === 'U8' ? tensor.dtype === 'U8' : storedTypes[tensor.dtype].dtype === 'float32';
    if (!isRight) fail(name, `has dtype ${tensor.dtype}`);
    used.add(name);
    return tensor;
  };
  const expect = (name: string, shape: Shape, wanted: Shape): void => {
    if (!shapesEqual(shape, wanted)) fail(name, `has shape ${formatShape(shape)}; ${formatShape(wanted)} is needed`);
  };
  const matrixOf = (module: string, rows: number, columns: number): QuantizedMatrix => {
    const [packedName, scalesName, zerosName] = ['packed', 'scales', 'zeros'].map(
      (part) => `${module}.weight_${part}`,
    ) as [string, string, string];
    const blocks = blocksOf(columns);
    const packed = find(packedName, 'U8');
    const bits: QuantizedBits = packed.shape.at(-1) === quantizedBlock ? 8 : 4;
    expect(packedName, packed.shape, [rows, blocks, (quantizedBlock * bits) / 8]);
    expect(zerosName, find(zerosName, 'U8').shape, [rows, blocks]);
    expect(scalesName, find(scalesName, 'float').shape, [rows, blocks]);
    const zeros = reader.readBytes(zerosName);
    if (zeros.some((zero) => zero >= 2 ** bits)) fail(zerosName, `holds more than ${bits} bits`);
    const scales = reader.read(scalesName).data as Float32Array;
    return new QuantizedMatrix({ bits, rows, columns, packed: reader.readBytes(packedName), scales, zeros });
  };
  const quantized = new Map<string, QuantizedMatrix>();
  const leaves = new Map<string, NdArray>();
  const specs = [...decoderParameters(config, { kind: 'language' })];
  const targets = loraTargets(specs);
  for (const { path: name, shape } of specs) {
    const module = name.replace(/\.weight$/, '');
    const target = targets.get(module);
    if (target && reader.tensors.has(`${module}.weight_packed`)) {
      quantized.set(module, matrixOf(module, target.outputs, target.inputs));
      continue;
    }
    expect(name, find(name, 'float').shape, shape);
    leaves.set(name, reader.read(name));
  }
  // A tied head, once more
  if (config.tieEmbeddings && reader.tensors.has('lm_head.weight_packed'))
    quantized.set('lm_head', matrixOf('lm_head', config.vocabularySize, config.hiddenSize));
  for (const name of reader.tensors.keys())
    if (!used.has(name)) fail(name, 'is not part of the model that config.json describes');
  return { weights: treeFromPaths(leaves) as ModelWeights, quantized };
}

function floatsOf(shape: Shape, data: Float32Array): NdArray {
  return { dtype: 'float32', shape, data };
}

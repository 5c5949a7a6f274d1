import '@crucible/testing';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DecoderConfig } from '@crucible/nn';
import { temporaryFolder } from '@crucible/testing';
import { saveTokenizer, trainBpe } from '@crucible/tokenizer';
import type { NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { saveModel, type SavedModel } from '../model-folder.ts';
import { modelsOfAllFamilies } from '../testing/random-model.ts';
import { exportGguf, type GgufOptions } from './gguf-export.ts';

const tokenizer = await trainBpe(['the hot iron and the cold iron '.repeat(9)], { vocabSize: 270 });
const models = modelsOfAllFamilies(tokenizer.vocabSize + 2, 1, 32);

function folderOf(model: SavedModel): string {
  const folder = temporaryFolder();
  saveModel(folder, model, { bos: tokenizer.bosId!, eos: [tokenizer.eosId!, 3], pad: tokenizer.padId! });
  saveTokenizer(tokenizer, folder);
  return folder;
}

function exported(model: SavedModel, options: GgufOptions): ReturnType<typeof readGguf> {
  const folder = folderOf(model);
  exportGguf(folder, join(folder, 'x.gguf'), options);
  return readGguf(join(folder, 'x.gguf'));
}

/** Reads a file back, written from the format's specification. */
function readGguf(path: string) {
  const bytes = readFileSync(path);
  let at = 0;
  const uint32 = (): number => bytes.readUInt32LE((at += 4) - 4);
  const uint64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const text = (): string => {
    const length = uint64();
    return bytes.toString('utf8', at, (at += length));
  };
  const value = (type: number): unknown => {
    switch (type) {
      case 4:
      case 5:
        return uint32();
      case 6:
        return bytes.readFloatLE((at += 4) - 4);
      case 7:
        return bytes[at++] === 1;
      case 8:
        return text();
      default: {
        const inner = uint32();
        return Array.from({ length: uint64() }, () => value(inner));
      }
    }
  };
  expect([bytes.toString('latin1', 0, 4), bytes.readUInt32LE(4)]).toEqual(['GGUF', 3]);
  at = 8;
  const [tensorCount, keyCount] = [uint64(), uint64()];
  const metadata: Record<string, unknown> = {};
  for (let i = 0; i < keyCount; i++) {
    const key = text();
    metadata[key] = value(uint32());
  }
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = text();
    const sizes = Array.from({ length: uint32() }, uint64);
    return { name, sizes, type: uint32(), offset: uint64() };
  });
  const start = Math.ceil(at / 32) * 32;
  const floats = (name: string): number[] => {
    const { sizes, offset } = tensors.find((tensor) => tensor.name === name)!;
    const count = sizes.reduce((product, size) => product * size, 1);
    return [...new Float32Array(bytes.buffer.slice(bytes.byteOffset + start + offset).slice(0, 4 * count))];
  };
  return { metadata, tensors, floats, dataBytes: bytes.length - start };
}

/** Qwen3 with the YaRN that llama.cpp has. */
const qwen3 = models['qwen3'] as Extract<SavedModel, { kind: 'language' }>;
const truncated = withRope(qwen3, { truncate: true, betaFast: 32, betaSlow: 1 });

function withRope(model: typeof qwen3, change: object): typeof qwen3 {
  const { ropeScaling, ...config } = model.config as Extract<DecoderConfig, { family: 'qwen3' }>;
  return { ...model, config: { ...config, ropeScaling: { ...ropeScaling!, ...change } } };
}

describe('a GGUF file', () => {
  it('has the sizes of the model and its tokenizer, rows without a token included', () => {
    const { metadata } = exported(models['llama']!, { type: 'f32', name: 'tiny' });
    expect(metadata).toMatchObject({
      'general.architecture': 'llama',
      'general.name': 'tiny',
      'general.file_type': 0,
      'llama.context_length': 96,
      'llama.embedding_length': 32,
      'llama.block_count': 2,
      'llama.attention.head_count': 2,
      'llama.attention.head_count_kv': 1,
      'llama.attention.key_length': 6,
      'llama.rope.freq_base': 500,
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'qwen2',
      'tokenizer.ggml.bos_token_id': tokenizer.bosId,
      'tokenizer.ggml.eos_token_id': tokenizer.eosId,
      'tokenizer.ggml.eot_token_id': 3,
      'tokenizer.ggml.padding_token_id': tokenizer.padId,
      'tokenizer.ggml.add_bos_token': false,
      'tokenizer.chat_template': tokenizer.settings.chatTemplate,
    });
    const tokens = metadata['tokenizer.ggml.tokens'] as string[];
    const types = metadata['tokenizer.ggml.token_type'] as number[];
    expect(tokens).toHaveLength(tokenizer.vocabSize + 2);
    expect(tokens.slice(-2)).toEqual([`[PAD${tokenizer.vocabSize}]`, `[PAD${tokenizer.vocabSize + 1}]`]);
    expect([types[tokenizer.eosId!], types[100], types.at(-1)]).toEqual([3, 1, 5]);
    expect(metadata['tokenizer.ggml.merges']).toHaveLength(tokenizer.vocabSize - 256 - tokenizer.specialTokens.size);
  });

  it('has every tensor under its name there, the fastest size first, on boundaries of 32 bytes', () => {
    const { tensors, dataBytes } = exported(truncated, {});
    const layer = ['attn_norm', 'attn_q', 'attn_k', 'attn_v', 'attn_output', 'attn_q_norm', 'attn_k_norm', 'ffn_norm'];
    const names = [0, 1].flatMap((i) =>
      [...layer, 'ffn_gate', 'ffn_up', 'ffn_down'].map((part) => `blk.${i}.${part}.weight`),
    );
    expect(tensors.map(({ name }) => name)).toEqual([
      'token_embd.weight',
      ...names,
      'output_norm.weight',
      'output.weight',
    ]);
    expect(tensors.find(({ name }) => name === 'blk.0.ffn_up.weight')!.sizes).toEqual([32, 7]);
    for (const { offset } of tensors) expect(offset % 32).toBe(0);
    expect(dataBytes % 32).toBe(0);
  });

  it('has the rows of queries in the order in which llama.cpp turns them, and their biases', () => {
    const { floats } = exported(models['llama']!, { type: 'f32' });
    const { q_proj } = (
      models['llama']!.weights['model'] as unknown as { layers: { self_attn: { q_proj: Projection } }[] }
    ).layers[0]!.self_attn;
    // Two heads of six: 0 3 1 4 2 5, and 6 9 7 10 8 11.
    const order = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];
    expect(floats('blk.0.attn_q.bias')).toEqual(order.map((row) => q_proj.bias.data[row]));
    const rows = order.flatMap((row) => [...q_proj.weight.data.subarray(32 * row, 32 * (row + 1))]);
    expect(floats('blk.0.attn_q.weight')).toEqual(rows);
  });

  it('divides the frequencies of Llama 3 by what its scaling says', () => {
    const { floats, metadata } = exported(models['llama']!, { type: 'f32' });
    // Wavelengths of 500^(-i/3): 6.3, 50 and 396 positions, of 16: one a little below the upper limit, two above the lower.
    const turns = 16 / (2 * Math.PI);
    const smooth = (turns - 1) / 3;
    expect(floats('rope_freqs.weight')).toBeAllClose([1 / ((1 - smooth) / 4 + smooth), 4, 4], { rtol: 1e-6 });
    expect(metadata).not.toHaveProperty('llama.rope.scaling.type');
  });

  it('has the matrices of GPT-2 turned, and its positions whole', () => {
    const { floats, tensors, metadata } = exported(models['gpt2']!, { type: 'f32' });
    const { h } = models['gpt2']!.weights['transformer'] as unknown as { h: { attn: { c_attn: Projection } }[] };
    const { shape, data } = h[0]!.attn.c_attn.weight;
    expect(shape).toEqual([32, 96]);
    const turned = Array.from({ length: 96 * 32 }, (_, i) => data[(i % 32) * 96 + Math.floor(i / 32)]);
    expect(floats('blk.0.attn_qkv.weight')).toEqual(turned);
    expect(tensors.find(({ name }) => name === 'position_embd.weight')).toMatchObject({ sizes: [32, 96], type: 0 });
    expect(metadata).toMatchObject({ 'gpt2.attention.layer_norm_epsilon': expect.closeTo(1e-5, 9) as number });
  });

  it.each<[GgufOptions, number, Record<string, number>]>([
    [{}, 1, { 'token_embd.weight': 1, 'blk.0.attn_q.weight': 1, 'blk.0.attn_norm.weight': 0 }],
    [{ type: 'q8_0' }, 7, { 'token_embd.weight': 8, 'blk.0.attn_q.weight': 8, 'output_norm.weight': 0 }],
    // Rows of seven fill no block.
    [
      { type: 'q4_0' },
      2,
      { 'token_embd.weight': 8, 'output.weight': 8, 'blk.1.ffn_up.weight': 2, 'blk.1.ffn_down.weight': 1 },
    ],
  ])('with %j is of the type %d, its tensors of %j', (options, fileType, types) => {
    const { metadata, tensors } = exported(truncated, options);
    expect(metadata['general.file_type']).toBe(fileType);
    const found = new Map(tensors.map(({ name, type }) => [name, type]));
    for (const [name, type] of Object.entries(types)) expect(found.get(name), name).toBe(type);
  });

  it.each<[string, SavedModel, string]>([
    [
      'a reward model',
      models['scalar']!,
      'it holds a model of the kind scalar; GGUF is written for language models alone',
    ],
    ['a window', models['qwen2']!, 'llama.cpp has no sliding window for qwen2'],
    [
      'YaRN with other limits',
      withRope(truncated, { betaFast: 8 }),
      'llama.cpp has no YaRN with other limits than 32 and 1 turns',
    ],
    ['YaRN without truncation', withRope(truncated, { truncate: false }), 'llama.cpp has no YaRN without truncation'],
    ['scores scaled otherwise', models['gpt2Scaled']!, 'llama.cpp has no scores of GPT-2 that are scaled otherwise'],
  ])('is not written of %s', (_name, model, message) => {
    expect(() => exported(model, {})).toThrow(message);
  });

  it.each<[string, (json: Record<string, unknown>) => object, string]>([
    [
      'WordPiece',
      (json) => ({ ...json, model: { type: 'WordPiece' } }),
      'its model is "WordPiece"; GGUF is written for BPE alone',
    ],
    [
      'another way of cutting text',
      (json) => ({ ...json, pre_tokenizer: { type: 'Whitespace' } }),
      'its pre_tokenizer cuts text in a way that llama.cpp has no name for; known are those of GPT-2, SmolLM2, Llama 3, Qwen2 and our own',
    ],
    [
      'words that are taken whole',
      (json) => ({ ...json, model: { ...(json['model'] as object), ignore_merges: true } }),
      'ignore_merges is true, which llama.cpp does not do for qwen2',
    ],
    [
      'more tokens than embeddings',
      (json) => ({ ...json, added_tokens: [{ content: '<|more|>', id: 400, special: true }] }),
      'token "<|more|>" has the id 400; the model has 272 rows of embeddings',
    ],
  ])('is not written with a tokenizer of %s', (_name, change, message) => {
    const folder = folderOf(models['llama']!);
    const path = join(folder, 'tokenizer.json');
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>)));
    expect(() => exportGguf(folder, join(folder, 'x.gguf'))).toThrow(`${path}: ${message}`);
  });
});

interface Projection {
  readonly weight: NdArray;
  readonly bias: NdArray;
}

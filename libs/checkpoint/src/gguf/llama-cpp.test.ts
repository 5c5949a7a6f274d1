/** llama.cpp reads our GGUF files, where node-llama-cpp is installed. Without, the tests are skipped by name. */
import '@crucible/testing';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DecoderConfig } from '@crucible/nn';
import { saveTokenizer, type Tokenizer, trainBpe } from '@crucible/tokenizer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveModel, type SavedModel } from '../model-folder.ts';
import { modelsOfAllFamilies } from '../testing/random-model.ts';
import { runModel } from '../testing/run-model.ts';
import { exportGguf, type GgufType } from './gguf-export.ts';

interface Answer {
  /** After each token, of every token of the vocabulary. */
  readonly logProbabilities: number[][];
  readonly tokens: number[][];
  readonly bos: number;
  readonly eos: number;
  readonly shouldPrependBosToken: boolean;
}

const home = process.env['CRUCIBLE_LLAMA_CPP'];
const script = join(import.meta.dirname, '../../fixtures/llama_cpp.mjs');

function ask(...request: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, [script, home ?? '', ...request], { encoding: 'utf8', maxBuffer: 2 ** 26 });
}

const isThere = home !== undefined && ask().status === 0;
const name = isThere ? 'llama.cpp' : 'llama.cpp (skipped: CRUCIBLE_LLAMA_CPP names no folder with node-llama-cpp)';

const texts = ['The hot iron', "  it's größer 😀\n\n12345", 'the<|end|>iron'];

describe.skipIf(!isThere)(name, () => {
  let folder: string;
  let tokenizer: Tokenizer;
  let models: Record<string, SavedModel>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    tokenizer = await trainBpe([texts.join(' ').repeat(3), 'the hot iron and the cold iron'], { vocabSize: 290 });
    models = modelsOfAllFamilies(tokenizer.vocabSize, tokenizer.padId!, 32);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function read(which: string, change: (config: DecoderConfig) => DecoderConfig, type: GgufType) {
    const model = models[which] as Extract<SavedModel, { kind: 'language' }>;
    const changed = { ...model, config: change(model.config) };
    const path = join(folder, `${which}-${type}`);
    mkdirSync(path, { recursive: true });
    saveModel(path, changed, { bos: tokenizer.bosId!, eos: [tokenizer.eosId!], pad: tokenizer.padId! });
    saveTokenizer(tokenizer, path);
    exportGguf(path, `${path}.gguf`, { type });
    const ids = tokenizer.encode(texts[0]!);
    const { status, stdout, stderr } = ask(JSON.stringify({ path: `${path}.gguf`, ids, texts }));
    if (status !== 0) throw new Error(`internal: llama.cpp failed: ${stderr}`);
    return { model: changed, ids, answer: JSON.parse(stdout) as Answer };
  }

  async function expectAlike(given: ReturnType<typeof read>, most: number): Promise<void> {
    const logits = await runModel(given.model, [given.ids]);
    const size = tokenizer.vocabSize;
    given.answer.logProbabilities.forEach((row, t) => {
      const own = [...logits.subarray(t * size, (t + 1) * size)];
      const total = Math.log(own.reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(row).toBeAllClose(
        own.map((logit) => logit - total),
        { atol: most },
      );
    });
  }

  const same = (config: DecoderConfig): DecoderConfig => config;
  const withoutWindow = (config: DecoderConfig): DecoderConfig => {
    const { slidingWindow, ...rest } = config as Extract<DecoderConfig, { family: 'qwen2' }>;
    expect(slidingWindow).toBeDefined();
    return rest;
  };
  const usualYarn = (config: DecoderConfig): DecoderConfig => {
    const { ropeScaling, ...rest } = config as Extract<DecoderConfig, { family: 'qwen3' }>;
    return {
      ...rest,
      ropeScaling: {
        ...(ropeScaling as Extract<typeof ropeScaling, { type: 'yarn' }>),
        truncate: true,
        betaFast: 32,
        betaSlow: 1,
      },
    };
  };

  const changes: Record<string, typeof same> = { qwen2: withoutWindow, qwen3: usualYarn };

  // llama.cpp keeps keys and values as halves.
  it.each<[string, GgufType, number]>([
    ['llama', 'f32', 0.01],
    ['qwen2', 'f32', 0.01],
    ['qwen3', 'f32', 0.01],
    ['gpt2', 'f32', 0.01],
    ['llama', 'f16', 0.02],
    ['llama', 'q8_0', 0.2],
    ['gpt2', 'q8_0', 0.2],
    ['qwen3', 'q4_0', 2],
  ])('gives the probabilities that we give: %s as %s, to %d', async (which, type, most) => {
    await expectAlike(read(which, changes[which] ?? same, type), most);
  });

  it('cuts text into our tokens, and knows those that begin and end it', () => {
    const { answer } = read('llama', same, 'f32');
    expect(answer.tokens).toEqual(texts.map((text) => tokenizer.encodeWithSpecialTokens(text)));
    expect(answer).toMatchObject({ bos: tokenizer.bosId, eos: tokenizer.eosId, shouldPrependBosToken: false });
  });
});

import '@crucible/testing';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyChatTemplate, type ChatMessage, saveTokenizer, type Tokenizer, trainBpe } from '@crucible/tokenizer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, saveModel, type SavedModel, type SpecialTokenIds } from './llama-folder.ts';
import { countValues } from './testing/count-values.ts';
import { randomLanguageModel, randomScalarModel } from './testing/random-model.ts';
import { runModel } from './testing/run-model.ts';
import { type FolderAnswer, readWithTransformers, transformers } from './testing/transformers.ts';

const name = transformers
  ? `transformers ${transformers.transformers} with torch ${transformers.torch}`
  : 'transformers (skipped: CRUCIBLE_PYTHON, or python3, does not have it and torch)';

const texts = ['The iron is hot.', '  def f(x):\n\treturn x + 1  # größer 😀\r\n', "<|user|>it's 12345<|end|>", 'A'];
const chats: ChatMessage[][] = [
  [{ role: 'user', content: 'What is 2 + 2?' }],
  [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
    { role: 'user', content: 'Bye' },
  ],
];

describe.skipIf(!transformers)(name, () => {
  let folder: string;
  let tokenizer: Tokenizer;
  let tokens: SpecialTokenIds;
  let models: Record<'tied' | 'untied' | 'scalar', SavedModel>;
  let answers: Record<keyof typeof models, FolderAnswer>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    tokenizer = await trainBpe([texts.join(' ').repeat(3), 'the hot iron and the cold iron'], { vocabSize: 290 });
    const end = tokenizer.eosId!;
    tokens = { bos: tokenizer.bosId!, eos: [end, tokenizer.bosId!], pad: tokenizer.padId! };
    const size = { vocabularySize: tokenizer.vocabSize, maxPositions: 96 };
    models = {
      tied: randomLanguageModel(size),
      untied: randomLanguageModel({ ...size, tieEmbeddings: false, keyValueHeads: 3, layers: 1 }),
      scalar: randomScalarModel(0.75, size),
    };
    const requests = Object.entries(models).map(([each, model]) => {
      const path = join(folder, each);
      mkdirSync(path);
      saveModel(path, model, tokens);
      saveTokenizer(tokenizer, path);
      return { path, kind: model.kind, texts, chats };
    });
    const [tied, untied, scalar] = readWithTransformers(requests) as [FolderAnswer, FolderAnswer, FolderAnswer];
    answers = { tied, untied, scalar };
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['tied', 'LlamaForCausalLM'],
    ['untied', 'LlamaForCausalLM'],
    ['scalar', 'LlamaForSequenceClassification'],
  ] as const)('loads a folder of ours without a complaint: %s', (which, architecture) => {
    const { complaints, parameters, dtype, ...rest } = answers[which];
    expect(rest.architecture).toBe(architecture);
    expect(complaints).toEqual([]);
    expect(dtype).toBe('torch.float32');
    expect(parameters).toBe(countValues(models[which].weights));
    expect(rest.config).toEqual([tokens.bos, tokens.eos[0], tokens.pad]);
  });

  it.each(['tied', 'untied', 'scalar'] as const)('encodes and decodes as we do: %s', (which) => {
    const ids = texts.map((text) => tokenizer.encodeWithSpecialTokens(text));
    expect(answers[which].ids).toEqual(ids);
    expect(answers[which].decoded).toEqual(ids.map((each) => tokenizer.decode(each)));
    expect(answers[which].chats).toEqual(
      chats.map((chat) => applyChatTemplate(tokenizer, chat, { addGenerationPrompt: true })),
    );
    expect(answers[which].tokenizer).toEqual([tokens.bos, tokens.eos[0], tokens.pad, tokenizer.vocabSize]);
  });

  it.each(['tied', 'untied', 'scalar'] as const)('gives our logits: %s', async (which) => {
    for (const [i, ids] of answers[which].ids.entries()) {
      const own = await runModel(loadModel(join(folder, which)), [ids]);
      const wanted = which === 'scalar' ? own.subarray(-1) : own;
      expect(answers[which].logits[i]).toBeAllClose(wanted, { atol: 2e-5, rtol: 1e-5 });
    }
  });

  it.each(['tied', 'untied'] as const)('knows every token that ends an answer, and generates: %s', async (which) => {
    const { generation, greedy, ids } = answers[which];
    expect(generation).toEqual([tokens.bos, tokens.eos, tokens.pad]);
    const sequence = [...ids[0]!];
    for (let n = 0; n < 8; n++) {
      const logits = await runModel(models[which], [sequence]);
      const last = [...logits.subarray(-tokenizer.vocabSize)];
      sequence.push(last.indexOf(Math.max(...last)));
    }
    expect(greedy).toEqual(sequence);
  });
});

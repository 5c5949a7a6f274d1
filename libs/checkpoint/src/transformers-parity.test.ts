/** transformers reads our folders, of every family, where Python has it. Without, the tests are skipped by name. */
import '@crucible/testing';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyChatTemplate, type ChatMessage, saveTokenizer, type Tokenizer, trainBpe } from '@crucible/tokenizer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, saveModel, type SavedModel } from './model-folder.ts';
import type { SpecialTokenIds } from './special-token-ids.ts';
import { countValues } from './testing/count-values.ts';
import { modelsOfAllFamilies } from './testing/random-model.ts';
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

const architectures = {
  llama: 'LlamaForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
  gpt2: 'GPT2LMHeadModel',
  gpt2Scaled: 'GPT2LMHeadModel',
  scalar: 'LlamaForSequenceClassification',
  bert: 'BertForMaskedLM',
  roberta: 'RobertaForMaskedLM',
  bertClassifier: 'BertForSequenceClassification',
  robertaClassifier: 'RobertaForSequenceClassification',
  minilm: 'BertModel',
};
const languageModels = ['llama', 'qwen2', 'qwen3', 'gpt2', 'gpt2Scaled'];

describe.skipIf(!transformers)(name, () => {
  let folder: string;
  let tokenizer: Tokenizer;
  let tokens: SpecialTokenIds;
  let models: Record<string, SavedModel>;
  let answers: Record<string, FolderAnswer>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    tokenizer = await trainBpe([texts.join(' ').repeat(3), 'the hot iron and the cold iron'], { vocabSize: 290 });
    const end = tokenizer.eosId!;
    tokens = { bos: tokenizer.bosId!, eos: [end, tokenizer.bosId!], pad: tokenizer.padId! };
    models = modelsOfAllFamilies(tokenizer.vocabSize, tokens.pad);
    const requests = Object.entries(models).map(([each, model]) => {
      const path = join(folder, each);
      mkdirSync(path);
      // One of them in several files.
      saveModel(path, model, tokens, each === 'qwen2' ? { maxShardBytes: 10_000 } : {});
      saveTokenizer(tokenizer, path);
      return { path, kind: model.kind, texts, chats };
    });
    const all = readWithTransformers(requests);
    answers = Object.fromEntries(Object.keys(models).map((each, i) => [each, all[i]!]));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.entries(architectures))('loads a folder of ours without a complaint: %s', (which, architecture) => {
    const { complaints, parameters, dtype, ...rest } = answers[which]!;
    expect(rest.architecture).toBe(architecture);
    expect(complaints).toEqual([]);
    expect(dtype).toBe('torch.float32');
    expect(parameters).toBe(countValues(models[which]!.weights));
    expect(rest.config).toEqual([tokens.bos, tokens.eos[0], tokens.pad]);
  });

  it('encodes and decodes as we do', () => {
    const ids = texts.map((text) => tokenizer.encodeWithSpecialTokens(text));
    const { llama } = answers;
    expect(llama!.ids).toEqual(ids);
    expect(llama!.decoded).toEqual(ids.map((each) => tokenizer.decode(each)));
    expect(llama!.chats).toEqual(
      chats.map((chat) => applyChatTemplate(tokenizer, chat, { addGenerationPrompt: true })),
    );
    expect(llama!.tokenizer).toEqual([tokens.bos, tokens.eos[0], tokens.pad, tokenizer.vocabSize]);
  });

  it.each(Object.keys(architectures))('gives our answers: %s', async (which) => {
    const loaded = loadModel(join(folder, which));
    for (const [i, ids] of answers[which]!.ids.entries()) {
      const own = await runModel(loaded, [ids]);
      const wanted = which === 'scalar' ? own.subarray(-1) : own;
      expect(answers[which]!.logits[i]).toBeAllClose(wanted, { atol: 5e-5, rtol: 1e-5 });
    }
  });

  it('gives the vectors that sentence-transformers gives, where that is installed', async ({ skip }) => {
    const { sentences, ids } = answers['minilm']!;
    if (!sentences) return skip();
    const loaded = loadModel(join(folder, 'minilm'));
    for (const [i, own] of ids.entries())
      expect(sentences[i]).toBeAllClose(await runModel(loaded, [own]), { atol: 1e-5, rtol: 1e-5 });
  });

  it.each(languageModels)('knows every token that ends an answer, and generates: %s', async (which) => {
    const { generation, greedy, ids } = answers[which]!;
    expect(generation).toEqual([tokens.bos, tokens.eos, tokens.pad]);
    const sequence = [...ids[0]!];
    for (let n = 0; n < 8; n++) {
      const logits = await runModel(models[which]!, [sequence]);
      const last = [...logits.subarray(-tokenizer.vocabSize)];
      sequence.push(last.indexOf(Math.max(...last)));
    }
    expect(greedy).toEqual(sequence);
  });
});

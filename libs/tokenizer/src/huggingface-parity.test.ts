import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@crucible/foundation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyChatTemplate } from './chat.ts';
import type { ChatMessage } from './chat-message.ts';
import { ownSpecialTokens } from './special-tokens.ts';
import { hostileText } from './testing/hostile-text.ts';
import {
  encodeWithHuggingFace,
  huggingFace,
  loadWithHuggingFace,
  trainWithHuggingFace,
} from './testing/huggingface.ts';
import { saveTokenizer } from './tokenizer-folder.ts';
import { formatTokenizerJson } from './tokenizer-json.ts';
import type { Tokenizer } from './tokenizer.ts';
import { trainBpe } from './train-bpe.ts';

const name = huggingFace
  ? `tokenizers ${huggingFace.tokenizers} and transformers ${huggingFace.transformers}`
  : 'tokenizers and transformers (skipped: CRUCIBLE_PYTHON, or python3, does not have them)';

const random = Random.seeded(2024);
const texts = Array.from({ length: 10_000 }, () => hostileText(random, { malformed: false }));
const trainingTexts = [
  ...texts.slice(0, 3000),
  // Runs overlap with themselves.
  ...Array.from({ length: 400 }, (_, i) => `${'='.repeat(i % 37)} ${'ab'.repeat(i % 23)}a\n${'-'.repeat(i % 19)}`),
  ...Array.from({ length: 200 }, () => readFileSync(import.meta.filename, 'utf8')),
];

describe.skipIf(!huggingFace)(name, () => {
  let tokenizer: Tokenizer;
  let folder: string;
  beforeAll(async () => {
    tokenizer = await trainBpe(trainingTexts, { vocabSize: 2500 });
    folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    saveTokenizer(tokenizer.withSettings({ modelMaxLength: 512 }), folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('learn the same merges', () => {
    const theirs = trainWithHuggingFace(trainingTexts, 2500, [...ownSpecialTokens]);
    expect(JSON.parse(formatTokenizerJson(tokenizer.definition))).toEqual(theirs);
  });

  it('give the same ids for 10,000 hostile texts', () => {
    const json = readFileSync(join(folder, 'tokenizer.json'), 'utf8');
    expect(texts.map((text) => tokenizer.encode(text))).toEqual(encodeWithHuggingFace(json, texts, false));
    const special = texts.map((text) => tokenizer.encodeWithSpecialTokens(text));
    expect(special).toEqual(encodeWithHuggingFace(json, texts, true));
  });

  it('load our folder, and give the same ids for texts and chats', () => {
    const chats: ChatMessage[][] = [
      [{ role: 'user', content: 'What is 2 + 2?' }],
      [
        { role: 'system', content: '  Be brief.\n' },
        { role: 'user', content: '' },
        { role: 'assistant', content: "It's 4.\n\n" },
        { role: 'tool', content: '{"result": [1, 2]}' },
        { role: 'user', content: '\u{1f468}\u200d\u{1f469} 鉄 \ue000' },
      ],
    ];
    const theirs = loadWithHuggingFace(folder, texts.slice(0, 500), chats);
    const ids = texts.slice(0, 500).map((text) => tokenizer.encodeWithSpecialTokens(text));
    expect(theirs).toEqual({
      chats: chats.map((chat) => applyChatTemplate(tokenizer, chat, { addGenerationPrompt: true })),
      texts: ids,
      decoded: ids.map((each) => tokenizer.decode(each, { skipSpecialTokens: true })),
      special: [...ownSpecialTokens].sort(),
      maxLength: 512,
      bos_token: '<|endoftext|>',
      eos_token: '<|end|>',
      pad_token: '<|pad|>',
      unk_token: null,
    });
  });
});

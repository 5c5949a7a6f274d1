import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@crucible/foundation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyChatTemplate } from './chat/chat.ts';
import type { ChatMessage } from './chat/chat-message.ts';
import type { ApplyChatTemplateOptions } from './index.ts';
import { ownSpecialTokens } from './special-tokens.ts';
import { hostileText } from './testing/hostile-text.ts';
import {
  describeOurs,
  describeWithHuggingFace,
  huggingFace,
  loadWithHuggingFace,
  trainWithHuggingFace,
} from './testing/huggingface.ts';
import { saveTokenizer } from './tokenizer-folder.ts';
import { formatTokenizerJson } from './tokenizer-json.ts';
import type { Tokenizer } from './tokenizer.ts';
import { trainBpe } from './training/train-bpe.ts';
import { trainWordPiece } from './training/train-word-piece.ts';

const name = huggingFace
  ? `tokenizers ${huggingFace.tokenizers} and transformers ${huggingFace.transformers}`
  : 'tokenizers and transformers (skipped: CRUCIBLE_PYTHON, or python3, does not have them)';

const random = Random.seeded(2024);
const texts = Array.from({ length: 1000 }, () => hostileText(random, { malformed: false }).toWellFormed());
const trainingTexts = [
  ...texts,
  // Runs overlap with themselves.
  ...Array.from({ length: 400 }, (_, i) => `${'='.repeat(i % 37)} ${'ab'.repeat(i % 23)}a\n${'-'.repeat(i % 19)}`),
  ...Array.from({ length: 200 }, () => readFileSync(import.meta.filename, 'utf8')),
];

/** In the manner of others: tools, thoughts, dates, blocks that mark what is generated. */
const foreignTemplate = [
  "{%- if tools %}{{- '<|system|>' + tools | tojson(indent=2) + '<|end|>\\n' }}{%- endif %}",
  '{%- for message in messages %}',
  "  {{- '<|' + message.role + '|>' }}",
  "  {%- if message.role == 'assistant' and message.reasoning_content is defined and thinking %}",
  "    {{- '<think>\\n' + message.reasoning_content.strip('\\n') + '\\n</think>\\n' }}",
  '  {%- endif %}',
  "  {%- if message.role == 'assistant' %}",
  '    {%- generation %}{{- message.content | trim }}{%- endgeneration %}',
  '    {%- for call in message.tool_calls or [] %}',
  "      {{- '\\n' + {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}",
  '    {%- endfor %}',
  '  {%- else %}{{- message.content }}{%- endif %}',
  "  {{- eos_token + '\\n' }}",
  '{%- endfor %}',
  "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}",
].join('\n');

const chats: { messages: ChatMessage[]; options?: ApplyChatTemplateOptions }[] = [
  { messages: [{ role: 'user', content: 'What is 2 + 2?' }] },
  {
    messages: [
      { role: 'system', content: '  Be brief.\n' },
      { role: 'user', content: '' },
      { role: 'assistant', content: "It's 4.\n\n", fields: { reasoning_content: '\nSums.\n' } },
      { role: 'tool', content: '{"result": [1, 2]}' },
      { role: 'user', content: '\u{1f468}\u200d\u{1f469} \u9244 \ue000' },
    ],
    options: { variables: { thinking: true } },
  },
  {
    messages: [
      { role: 'user', content: 'How hot is it?' },
      {
        role: 'assistant',
        content: '',
        fields: {
          tool_calls: [
            { type: 'function', function: { name: 'measure', arguments: { of: 'the \u00ab"iron"\u00bb\n', n: 2.5 } } },
          ],
        },
      },
    ],
    options: {
      tools: [{ type: 'function', function: { name: 'measure', parameters: { type: 'object', required: ['of'] } } }],
    },
  },
];

describe.skipIf(!huggingFace)(name, () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'crucible-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What they make of the folder that we save a tokenizer in. */
  function expectSame(tokenizer: Tokenizer): void {
    saveTokenizer(tokenizer, folder);
    const own = texts.slice(0, 500);
    const withChats = tokenizer.settings.chatTemplate === undefined ? [] : chats;
    const theirs = loadWithHuggingFace(
      folder,
      own,
      withChats.map(({ messages, options }) => ({
        messages: messages.map(({ fields, ...message }) => ({ ...message, ...fields })),
        ...(options?.tools && { tools: options.tools }),
        ...(options?.variables && { variables: options.variables }),
      })),
    );
    const ids = own.map((text) => tokenizer.tokenize(text, { findSpecialTokens: true }).ids);
    const { settings } = tokenizer;
    expect(theirs).toEqual({
      chats: withChats.map(({ messages, options }) =>
        applyChatTemplate(tokenizer, messages, { ...options, addGenerationPrompt: true }),
      ),
      texts: ids,
      decoded: ids.map((each) => tokenizer.decode(each, { skipSpecialTokens: true })),
      special: [...tokenizer.specialTokens.keys()].sort(),
      maxLength: 512,
      tokens: {
        bos: settings.bosToken ?? null,
        eos: settings.eosToken ?? null,
        pad: settings.padToken ?? null,
        unk: settings.unkToken ?? null,
        cls: settings.clsToken ?? null,
        sep: settings.sepToken ?? null,
        mask: settings.maskToken ?? null,
      },
    });
  }

  describe('of byte-level BPE that we train', () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = (await trainBpe(trainingTexts, { vocabSize: 2500 })).withSettings({ modelMaxLength: 512 });
    });

    it('learn the same merges', () => {
      const theirs = trainWithHuggingFace(trainingTexts, 2500, [...ownSpecialTokens]);
      expect(JSON.parse(formatTokenizerJson(tokenizer.definition))).toEqual(theirs);
    });

    it('make the same of hostile texts', () => {
      const json = JSON.parse(formatTokenizerJson(tokenizer.definition)) as object;
      expect(describeOurs(tokenizer, texts)).toEqual(describeWithHuggingFace(json, texts));
    });

    it('load our folder, and give the same ids for texts and chats', () => {
      expectSame(tokenizer);
    });

    it("load our folder with a template in others' manner, and give the same ids for chats", () => {
      expectSame(tokenizer.withSettings({ chatTemplate: foreignTemplate }));
    });
  });

  it.each([true, false])('load our folder of WordPiece that we train, in lower case: %s', async (lowercase) => {
    const tokenizer = await trainWordPiece(trainingTexts, { vocabSize: 2000, lowercase });
    expectSame(tokenizer.withSettings({ modelMaxLength: 512 }));
  });
});

import { describe, expect, it } from 'vitest';
import type { Draft } from './encoding.ts';
import { createPostProcessor, type PostProcessorDefinition } from './post-processor.ts';

/** Tokens that stand for parts of a text of which they are, apart from the mark of a space, the text. */
function draft(tokens: string[], sequence: 0 | 1): Draft {
  const source = tokens.map((token) => token.replaceAll('\u0120', ' ')).join('');
  let at = 0;
  return {
    ids: tokens.map((_, i) => 10 * (sequence + 1) + i),
    sequences: tokens.map(() => sequence),
    offsets: tokens.map((token) => [at, (at += token.length)] as const),
    typeIds: tokens.map(() => sequence),
    specialTokensMask: tokens.map(() => 0),
    tokens,
    source,
  };
}

/** id:type and, of tokens of the text, the offsets. */
function shown(definition: PostProcessorDefinition | null, drafts: Draft[], addSpecialTokens = true): string {
  return createPostProcessor(definition)(drafts, addSpecialTokens)
    .flatMap(({ ids, typeIds, offsets, specialTokensMask }) =>
      ids.map((id, i) => `${id}:${typeIds[i]}${specialTokensMask[i] === 1 ? '' : `@${offsets[i]!.join('-')}`}`),
    )
    .join(' ');
}

const single = [draft(['a', '\u0120b'], 0)];
const pair = [...single, draft(['c'], 1)];
const special = (id: string, type_id: number): { SpecialToken: { id: string; type_id: number } } => ({
  SpecialToken: { id, type_id },
});
const sequence = (id: 'A' | 'B', type_id: number): { Sequence: { id: 'A' | 'B'; type_id: number } } => ({
  Sequence: { id, type_id },
});
const template: PostProcessorDefinition = {
  type: 'TemplateProcessing',
  single: [special('<s>', 0), sequence('A', 0)],
  pair: [sequence('B', 3), special('<sep>', 2), sequence('A', 1)],
  special_tokens: {
    '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] },
    '<sep>': { id: '<sep>', ids: [7, 8], tokens: ['<', '>'] },
  },
};
const roberta: PostProcessorDefinition = {
  type: 'RobertaProcessing',
  cls: ['<s>', 1],
  sep: ['</s>', 2],
  trim_offsets: true,
  add_prefix_space: false,
};
const byteLevel = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } as const;

describe('post-processors', () => {
  it('leave texts as they are, where there is none', () => {
    expect(shown(null, pair)).toBe('10:0@0-1 11:0@1-3 20:1@0-1');
  });

  it('follow a template', () => {
    expect(shown(template, single)).toBe('1:0 10:0@0-1 11:0@1-3');
    expect(shown(template, pair)).toBe('20:3@0-1 7:2 8:2 10:1@0-1 11:1@1-3');
    expect(shown(template, pair, false)).toBe('20:3@0-1 10:1@0-1 11:1@1-3');
  });

  it("do what BERT's and RoBERTa's do", () => {
    const bert: PostProcessorDefinition = { type: 'BertProcessing', cls: ['[CLS]', 1], sep: ['[SEP]', 2] };
    expect(shown(bert, single)).toBe('1:0 10:0@0-1 11:0@1-3 2:0');
    expect(shown(bert, pair)).toBe('1:0 10:0@0-1 11:0@1-3 2:0 20:1@0-1 2:1');
    expect(shown(bert, pair, false)).toBe('10:0@0-1 11:0@1-3 20:1@0-1');
    expect(shown(roberta, pair)).toBe('1:0 10:0@0-1 11:0@2-3 2:0 2:0 20:0@0-1 2:0');
    expect(shown(roberta, pair, false)).toBe('10:0@0-1 11:0@2-3 20:0@0-1');
  });

  it('trim the spaces at the ends of tokens', () => {
    const spaced = [draft(['\u0120a', '\u0120\u0120b\u0120', '\u0120', 'c'], 0)];
    expect(shown({ ...byteLevel, add_prefix_space: false }, spaced)).toBe('10:0@1-2 11:0@4-5 12:0@7-7 13:0@7-8');
    // A single space in front may have been put there.
    expect(shown(byteLevel, spaced)).toBe('10:0@0-2 11:0@4-5 12:0@7-7 13:0@7-8');
    expect(shown({ ...byteLevel, trim_offsets: false }, spaced)).toBe('10:0@0-2 11:0@2-6 12:0@6-7 13:0@7-8');
  });

  it('trim whole characters', () => {
    // The space was put in front of a character of two code units, and has it for its part.
    const put: Draft = {
      ...draft(['\u0120', 'x'], 0),
      offsets: [
        [0, 2],
        [0, 2],
      ],
      source: '\u{1f600}',
    };
    expect(shown({ ...byteLevel, add_prefix_space: false }, [put])).toBe('10:0@2-2 11:0@0-2');
  });

  it('come one after the other', () => {
    const both: PostProcessorDefinition = {
      type: 'Sequence',
      processors: [{ ...byteLevel, add_prefix_space: false }, template],
    };
    expect(shown(both, single)).toBe('1:0 10:0@0-1 11:0@2-3');
  });
});

import type { Tokenizer } from '@crucible/tokenizer';
import { trainBpe } from '@crucible/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseTemplate, TemplateEncoder } from './template.ts';
import { tinyTokenizer } from './testing/tiny-encoder.ts';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await tinyTokenizer();
});

const field = { kind: 'field', field: 'text', lower: false, bare: false, keep: false, tail: false };

describe('parseTemplate', () => {
  it('reads text, placeholders and their options', () => {
    expect(parseTemplate('{text|lower|bare} {{so}} {soft:2}{soft:It was} {mask}.').parts).toEqual([
      { ...field, lower: true, bare: true },
      { kind: 'literal', text: ' {so} ' },
      { kind: 'soft', begin: { count: 2 } },
      { kind: 'soft', begin: { words: 'It was' } },
      { kind: 'literal', text: ' ' },
      { kind: 'mask' },
      { kind: 'literal', text: '.' },
    ]);
  });

  it.each([
    [
      '{txt} was {mask}',
      'template, column 2: unknown placeholder {txt}; there are {text}, {pair}, {mask} and {soft}\n  {txt} was {mask}\n   ^^^',
    ],
    ['{text} was', 'template, column 11: there is no {mask}, the place of the answer\n  {text} was\n            ^'],
    ['it {mask}', 'template, column 1: there is neither {text} nor {pair}: all inputs would look alike\n'],
    [
      '{text} {mask} {mask}',
      'template, column 15: a second {mask}; there is one place for the answer\n  {text} {mask} {mask}\n                ^^^^^^',
    ],
    ['{text {mask}', 'template, column 1: a { without its }; write {{ for a brace\n  {text {mask}\n  ^'],
    ['{text} } {mask}', 'template, column 8: a } without its {; write }} for a brace\n  {text} } {mask}\n         ^'],
    [
      '{text|lower|up} {mask}',
      'template, column 13: unknown option "up"; there are lower, bare, keep, tail\n  {text|lower|up} {mask}\n              ^^',
    ],
    ['{text} {mask|bare}', 'template, column 13: {mask} has no options\n'],
    ['{text} {soft:0} {mask}', 'template, column 13: 0 virtual tokens; 1 to 200 are possible\n'],
    ['{text} {soft:} {mask}', 'template, column 13: {soft:} names neither a number nor words\n'],
    ['{text:lower} {mask}', 'template, column 6: the options of {text} come after a |\n'],
  ])('refuses %s and shows the place', (source, message) => {
    expect(() => parseTemplate(source)).toThrow(message);
  });

  it('runs nothing of what a template says', () => {
    expect(() => parseTemplate('${process.exit()} {text} {mask}')).toThrow('unknown placeholder {process.exit()}');
  });
});

describe('TemplateEncoder', () => {
  const shown = (ids: readonly number[]): string => ids.map((id) => tokenizer.idToToken(id)).join(' ');
  const encoder = (source: string, longest = 32): TemplateEncoder =>
    new TemplateEncoder(parseTemplate(source), tokenizer, { kind: 'masked', longest });

  it('puts the input into its place, between [CLS] and [SEP]', () => {
    const { ids, maskAt, softAt } = encoder('{text|bare} . it was {mask} !').encode({ text: 'The film !!' });
    expect(shown(ids)).toBe('[CLS] the film . it was [MASK] ! [SEP]');
    expect([maskAt, softAt]).toEqual([6, []]);
  });

  it('never takes what an input says for special tokens', () => {
    const { ids, maskAt } = encoder('{text} {mask}').encode({ text: '[MASK] film' });
    expect(ids.filter((id) => id === tokenizer.maskId)).toHaveLength(1);
    expect(maskAt).toBe(ids.indexOf(tokenizer.maskId!));
  });

  it('says where the virtual tokens are and what they begin as', () => {
    const template = encoder('{soft:2} {text} {soft:it was} {mask}');
    expect(template.softTokens).toEqual([-1, -1, ...tokenizer.encode('it was')]);
    const { ids, softAt, maskAt } = template.encode({ text: 'film' });
    expect(softAt).toEqual([1, 2, 4, 5]);
    expect([maskAt, ids.length]).toEqual([6, 8]);
  });

  it('shortens the longest input, from its end or its beginning, and nothing else', () => {
    const input = { text: 'one two three red blue green', pair: 'good bad' };
    expect(shown(encoder('{text} and {pair} {mask}', 10).encode(input).ids)).toBe(
      '[CLS] one two three red and good bad [MASK] [SEP]',
    );
    expect(shown(encoder('{text|tail} and {pair} {mask}', 10).encode(input).ids)).toBe(
      '[CLS] three red blue green and good bad [MASK] [SEP]',
    );
    expect(shown(encoder('{text} and {pair} {mask}', 7).encode(input).ids)).toMatch(
      /^\[CLS\] (one and good|one two and|one and) /,
    );
    expect(shown(encoder('{text|keep} and {pair} {mask}', 10).encode(input).ids)).toBe(
      '[CLS] one two three red blue green and [MASK] [SEP]',
    );
  });

  it('names prompts that do not fit whatever is left out', () => {
    expect(() => encoder('{text} very very very {mask}', 6)).toThrow(
      'template, column 1: it has 6 tokens without any input; the context holds 6\n  {text} very very very {mask}\n  ^^^',
    );
    expect(() => encoder('{text|keep} {mask}', 6).encode({ text: 'one two three red' })).toThrow(
      'template, column 1: the prompt has 1 tokens more than the 6 of the context, and nothing in it may be shortened',
    );
  });

  it('asks for the second text of a pair', () => {
    expect(() => encoder('{text} {pair} {mask}').encode({ text: 'film' })).toThrow(
      'template, column 8: the example "film" has no second text\n  {text} {pair} {mask}\n         ^^^^^^',
    );
  });

  it('ends before the answer for a decoder, and gives spaces to the words that follow', async () => {
    const bpe = await trainBpe(['the film was great. it was good. '.repeat(20)], { vocabSize: 330 });
    const template = parseTemplate('{text} it was {mask}.');
    const { ids, maskAt } = new TemplateEncoder(template, bpe, { kind: 'causal', longest: 32 }).encode({
      text: 'the film',
    });
    expect(bpe.decode(ids)).toBe('the film it was');
    expect(ids).toEqual(bpe.encode('the film it was'));
    expect(maskAt).toBe(ids.length - 1);
    const more = parseTemplate('{text} was {mask}, all in all');
    expect(() => new TemplateEncoder(more, bpe, { kind: 'causal', longest: 32 })).toThrow(
      'template, column 18: of a decoder nothing but punctuation may follow {mask}',
    );
  });
});

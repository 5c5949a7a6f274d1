import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import type { Stretch } from './added-tokens.ts';
import { JsonField } from './json-field.ts';
import type { Encoding } from './post-processors/encoding.ts';
import { createStreamDecoder } from './stream-decoder.ts';
import { trainExampleTokenizer } from './testing/example-tokenizer.ts';
import { hostileBytes, hostileText } from './testing/hostile-text.ts';
import { parseTokenizerJson } from './tokenizer-json.ts';
import { Tokenizer } from './tokenizer.ts';

const fixture = readFileSync(join(import.meta.dirname, '../fixtures/generated/families.json'), 'utf8');
const { families } = JSON.parse(fixture) as { families: { name: string; tokenizer: object }[] };

/** A tokenizer of a family of models, of a few hundred tokens. */
function parsed(family: string): Tokenizer {
  const { tokenizer: json } = families.find(({ name }) => name === family)!;
  return new Tokenizer(parseTokenizerJson(new JsonField(json, 'tokenizer.json')));
}

const tokenizer = await trainExampleTokenizer();
const end = tokenizer.specialTokens.get('<|end|>')!;
const decodedTokens = (ids: number[]): string[] => ids.map((id) => tokenizer.decode([id]));

describe('encode', () => {
  it('is undone by decode for 10,000 hostile texts', () => {
    const random = Random.seeded(1);
    let malformed = 0;
    for (let i = 0; i < 10_000; i++) {
      const text = hostileText(random, { malformed: true });
      if (!text.isWellFormed()) malformed++;
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.toWellFormed());
    }
    expect(malformed).toBeGreaterThan(2000);
  });

  it('uses merges', () => {
    const ids = tokenizer.encode('The iron in the heat');
    expect(decodedTokens(ids)).toEqual(['The', ' iron', ' in', ' the', ' heat']);
  });

  it('never yields a special token, whatever the text', () => {
    const tokens = [...tokenizer.specialTokens.keys()];
    const random = Random.seeded(2);
    for (let i = 0; i < 3000; i++) {
      const parts = Array.from({ length: random.integer(1, 6) }, () => {
        const token = random.pick(tokens);
        const cut = random.integer(0, token.length);
        return random.pick([token, token.slice(cut), token.slice(0, cut), hostileText(random, { malformed: true })]);
      });
      const text = parts.join('');
      expect(tokenizer.encode(text).filter((id) => tokenizer.isSpecial(id))).toEqual([]);
      expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe(text.toWellFormed());
    }
  });

  it('takes a lone surrogate for U+FFFD before anything else', () => {
    const { definition, settings } = tokenizer;
    const symbols = { type: 'Split', pattern: { Regex: '\\p{S}+' }, behavior: 'Removed', invert: true } as const;
    const preTokenizer = { type: 'Sequence', pretokenizers: [symbols, definition.preTokenizer!] } as const;
    const foreign = new Tokenizer({ ...definition, preTokenizer }, settings);
    expect(foreign.decode(foreign.encode('a\ud800b'))).toBe('\ufffd');
  });

  it('copes with a word of a megabyte', () => {
    const word = 'heated'.repeat(170_000);
    const ids = tokenizer.encode(word);
    expect(ids.length).toBe(170_000 * 3);
    expect(tokenizer.decode(ids)).toBe(word);
  });

  it('gives the same ids whether or not a piece was met before', async () => {
    const fresh = await trainExampleTokenizer();
    expect(fresh.encode('crucible crucible')).toEqual(tokenizer.encode('crucible crucible'));
  });
});

describe('encodeWithSpecialTokens', () => {
  it('finds special tokens and encodes the text between them as encode does', () => {
    const text = 'The iron<|end|><|user|> is <|en d|> hot<|end|>';
    expect(tokenizer.encodeWithSpecialTokens(text)).toEqual([
      ...tokenizer.encode('The iron'),
      end,
      tokenizer.specialTokens.get('<|user|>'),
      ...tokenizer.encode(' is <|en d|> hot'),
      end,
    ]);
  });

  it('is undone by decode for hostile texts', () => {
    const random = Random.seeded(3);
    for (let i = 0; i < 2000; i++) {
      const text = hostileText(random, { malformed: true });
      expect(tokenizer.decode(tokenizer.encodeWithSpecialTokens(text))).toBe(text.toWellFormed());
    }
  });
});

describe('encodeBytes', () => {
  it('is undone by decodeBytes for 10,000 sequences of any bytes', () => {
    const random = Random.seeded(4);
    for (let i = 0; i < 10_000; i++) {
      const bytes = hostileBytes(random);
      expect(tokenizer.decodeBytes(tokenizer.encodeBytes(bytes))).toEqual(new Uint8Array(bytes));
    }
  });

  it('gives the ids of encode for text, and one id for every byte that is none', () => {
    const utf8 = new TextEncoder();
    const text = 'The iron 鉄 is <|end|> hot\ufeff';
    expect(tokenizer.encodeBytes(utf8.encode(text))).toEqual(tokenizer.encode(text));
    const damaged = Uint8Array.of(...utf8.encode('The iron'), 0xe9, 0x89, ...utf8.encode(' is hot'));
    expect(tokenizer.encodeBytes(damaged)).toEqual([
      ...tokenizer.encode('The iron'),
      tokenizer.tokenToId('é'),
      tokenizer.tokenToId('ī'),
      ...tokenizer.encode(' is hot'),
    ]);
  });

  it('leaves out what a foreign tokenizer does to text', () => {
    const foreign = new Tokenizer({
      ...tokenizer.definition,
      normalizer: { type: 'NFC' },
      preTokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    });
    const bytes = new TextEncoder().encode('cafe\u0301');
    expect(foreign.decode(foreign.encode('cafe\u0301'))).toBe(' caf\u00e9');
    expect(foreign.decodeBytes(foreign.encodeBytes(bytes))).toEqual(bytes);
  });
});

describe('decode', () => {
  it('skips special tokens only when asked to', () => {
    const ids = tokenizer.encodeWithSpecialTokens('<|user|>hot<|end|>');
    expect(tokenizer.decode(ids)).toBe('<|user|>hot<|end|>');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('hot');
    expect(tokenizer.decode(Uint32Array.from(ids), { skipSpecialTokens: true })).toBe('hot');
  });

  it('writes U+FFFD for bytes that are no text', () => {
    expect(tokenizer.decode(tokenizer.encodeBytes(Uint8Array.of(0x61, 0xf0, 0x9f, 0x62, 0xff)))).toBe('a\ufffdb\ufffd');
  });

  it('refuses ids that there are not', () => {
    expect(() => tokenizer.decode([5, tokenizer.vocabSize])).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        at: 'ids[1]',
        message: 'ids[1]: 350 is not a token id; this tokenizer has the ids 0 to 349',
      }),
    );
  });
});

describe('tokenize', () => {
  /** WordPiece with BERT's way of reading, of a few words. */
  const bert = parsed('bert uncased');
  const shown = (tokens: Tokenizer, text: string, { ids, offsets, sequences }: Encoding, pair = ''): string =>
    ids
      .map((id, i) => {
        const source = sequences[i] === null ? '' : sequences[i] === 0 ? text : pair;
        return `${tokens.idToToken(id)}=${source.slice(...offsets[i]!)}`;
      })
      .join(' ');

  it('says what of the text each token stands for, by code units', () => {
    const text = 'Th\u00c9 \u{1f600}IRON\u0301\u0000';
    expect(shown(bert, text, bert.tokenize(text))).toBe('[CLS]= the=Th\u00c9 [UNK]=\u{1f600}IRON [SEP]=');
    // Bytes of a character stand for all of it.
    const own = 'hot\u9244\u{1f601}';
    const { offsets, ids } = tokenizer.tokenize(own);
    expect(ids).toEqual(tokenizer.encode(own));
    const spans = (count: number, ...span: number[]): number[][] => Array.from({ length: count }, () => span);
    expect(offsets).toEqual([[0, 1], [1, 2], [2, 3], ...spans(3, 3, 4), ...spans(ids.length - 6, 4, 6)]);
  });

  it('puts special tokens around a text and a pair, and says of which each token is', () => {
    const [cls, sep] = ['[CLS]', '[SEP]'].map((token) => bert.tokenToId(token)!);
    const the = bert.encode('the');
    const iron = bert.encode('iron');
    expect(bert.tokenize('the').ids).toEqual([cls, ...the, sep]);
    expect(bert.tokenize('the', { addSpecialTokens: false }).ids).toEqual(the);
    const pair = bert.tokenize('the', { pair: 'iron' });
    const own = iron.map(() => 1);
    expect(pair).toEqual({
      ids: [cls, ...the, sep, ...iron, sep],
      sequences: [null, ...the.map(() => 0), null, ...own, null],
      offsets: [[0, 0], [0, 3], [0, 0], ...bert.tokenize('iron', { addSpecialTokens: false }).offsets, [0, 0]],
      typeIds: [0, ...the.map(() => 0), 0, ...own, 1],
      specialTokensMask: [1, ...the.map(() => 0), 1, ...iron.map(() => 0), 1],
    });
  });

  it('finds special tokens in a text only when asked to', () => {
    const text = 'the [MASK]';
    const mask = bert.tokenToId('[MASK]')!;
    expect(bert.tokenize(text).ids).not.toContain(mask);
    const found = bert.tokenize(text, { findSpecialTokens: true });
    expect(shown(bert, text, found)).toBe('[CLS]= the=the [MASK]=[MASK] [SEP]=');
  });

  it('has nothing but what is put around it for an empty text', () => {
    expect(tokenizer.tokenize('')).toEqual({ ids: [], sequences: [], offsets: [], typeIds: [], specialTokensMask: [] });
    expect(bert.tokenize('').specialTokensMask).toEqual([1, 1]);
  });
});

describe('encodeParts', () => {
  const tiny = parsed('tinyllama');

  it('cuts where it is told to, and is otherwise as if there were no cuts', () => {
    const text = 'The iron is hot<|end|>';
    const parts = tokenizer.encodeParts(text, [], [6, 15]);
    expect(parts.map((ids) => tokenizer.decode(ids))).toEqual(['The ir', 'on is hot', '<|end|>']);
    expect(parts[2]).toEqual([end]);
    expect(parts[0]).toEqual(tokenizer.encode('The ir'));
    expect(tokenizer.encodeParts(text, [], [])).toEqual([tokenizer.encodeWithSpecialTokens(text)]);
    expect(tokenizer.encodeParts(text, [], [8, 8]).map((ids) => ids.length > 0)).toEqual([true, false, true]);
  });

  it('puts no space in front of what follows a cut', () => {
    // The reference puts one in front of every text; without a cut it would stand once.
    const whole = tiny.encode('the iron');
    const [first, second] = tiny.encodeParts('the iron', [], [5]);
    expect(tiny.decode([...first!, ...second!])).toBe('the iron');
    expect(first).toEqual(tiny.encode('the i'));
    expect(tiny.decode(whole)).toBe('the iron');
    expect(tiny.idToToken(second![0]!).startsWith('\u2581')).toBe(false);
  });

  it('finds no special token that touches what is plain, or is cut', () => {
    const text = 'a<|end|>b<|end|>c<|end|>';
    const ids = (plain: Stretch[], cuts: number[] = []): number =>
      tokenizer
        .encodeParts(text, plain, cuts)
        .flat()
        .filter((id) => id === end).length;
    expect(ids([])).toBe(3);
    expect(ids([{ start: 3, end: 4 }])).toBe(2);
    expect(ids([{ start: 0, end: 1 }])).toBe(3);
    expect(ids([{ start: 7, end: 17 }])).toBe(1);
    expect(ids([], [20])).toBe(2);
    expect(ids([], [17])).toBe(3);
  });
});

describe.each(['tinyllama', 'llama2', 't5', 'bert uncased', 'gemma'])('createStreamDecoder of %s', (family) => {
  it('gives in all what decode gives', () => {
    const foreign = parsed(family);
    const random = Random.seeded(12);
    const decoder = createStreamDecoder(foreign);
    for (let i = 0; i < 500; i++) {
      const ids = Array.from({ length: random.integer(0, 12) }, () => random.integer(0, foreign.vocabSize - 1));
      expect(ids.map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(foreign.decode(ids));
    }
  });

  it('does not wait for the end', () => {
    const foreign = parsed(family);
    const decoder = createStreamDecoder(foreign);
    const pushed = foreign
      .encode('the iron was hot')
      .map((id) => decoder.push(id))
      .join('');
    expect(pushed.trim()).toBe('the iron was hot');
  });
});

describe('tokens', () => {
  it('have ids and names', () => {
    const id = tokenizer.tokenToId('Ġiron')!;
    expect(tokenizer.idToToken(id)).toBe('Ġiron');
    expect(new TextDecoder().decode(tokenizer.tokenBytes(id))).toBe(' iron');
    expect(tokenizer.tokenToId(' iron')).toBeUndefined();
    expect(tokenizer.tokenToId('__proto__')).toBeUndefined();
    expect(() => tokenizer.idToToken(-1)).toThrow(
      'id: -1 is not the id of a token; this tokenizer has the ids 0 to 349',
    );
  });

  it('are special or not', () => {
    expect(tokenizer.isSpecial(end)).toBe(true);
    expect(tokenizer.isSpecial(tokenizer.tokenToId('Ġiron')!)).toBe(false);
  });
});

describe('withSettings', () => {
  it('changes what is named and keeps the rest', () => {
    const changed = tokenizer.withSettings({ eosToken: '<|endoftext|>', modelMaxLength: 512 });
    expect(changed.settings).toEqual({ ...tokenizer.settings, eosToken: '<|endoftext|>', modelMaxLength: 512 });
    expect([changed.bosId, changed.padId, changed.eosId]).toEqual([0, 1, 0]);
    expect(tokenizer.eosId).toBe(end);
    expect(new Tokenizer(tokenizer.definition).eosId).toBeUndefined();
  });

  it.each([
    [{ padToken: '<pad>' }, 'padToken: "<pad>" is not a token of this tokenizer'],
    [{ modelMaxLength: 0 }, 'modelMaxLength: 0 is not a whole number above 0'],
    [{ maskToken: '[MASK]' }, 'maskToken: "[MASK]" is not a token of this tokenizer'],
    [{ modelMaxLength: 1.5 }, 'modelMaxLength: 1.5 is not a whole number above 0'],
  ])('refuses %j', (settings, message) => {
    expect(() => tokenizer.withSettings(settings)).toThrow(expect.objectContaining({ code: 'invalid-input', message }));
  });
});

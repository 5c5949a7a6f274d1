import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { trainExampleTokenizer } from './testing/example-tokenizer.ts';
import { hostileBytes, hostileText } from './testing/hostile-text.ts';
import { Tokenizer } from './tokenizer.ts';

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
    const foreign = new Tokenizer({ ...definition, preTokenizer: [symbols, ...definition.preTokenizer] }, settings);
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
      normalizers: ['NFC'],
      preTokenizer: [{ type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }],
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

describe('tokens', () => {
  it('have ids and names', () => {
    const id = tokenizer.tokenToId('Ġiron')!;
    expect(tokenizer.idToToken(id)).toBe('Ġiron');
    expect(new TextDecoder().decode(tokenizer.tokenBytes(id))).toBe(' iron');
    expect(tokenizer.tokenToId(' iron')).toBeUndefined();
    expect(tokenizer.tokenToId('__proto__')).toBeUndefined();
    expect(() => tokenizer.idToToken(-1)).toThrow('id: -1 is not a token id; this tokenizer has the ids 0 to 349');
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
    [{ modelMaxLength: 1.5 }, 'modelMaxLength: 1.5 is not a whole number above 0'],
  ])('refuses %j', (settings, message) => {
    expect(() => tokenizer.withSettings(settings)).toThrow(expect.objectContaining({ code: 'invalid-input', message }));
  });
});

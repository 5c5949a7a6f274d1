import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { createStreamDecoder } from './stream-decoder.ts';
import { trainExampleTokenizer } from './testing/example-tokenizer.ts';
import { hostileBytes } from './testing/hostile-text.ts';

const tokenizer = await trainExampleTokenizer();

describe('createStreamDecoder', () => {
  it('holds a character back until its last byte has come', () => {
    const decoder = createStreamDecoder(tokenizer);
    // One id a byte: the bytes of "a€😂b" in the byte alphabet.
    const ids = Array.from('aâĤ¬ðŁĺĤb', (token) => tokenizer.tokenToId(token)!);
    expect(ids.map((id) => decoder.push(id))).toEqual(['a', '', '', '€', '', '', '', '😂', 'b']);
    expect(decoder.flush()).toBe('');
  });

  it('gives U+FFFD for what stays incomplete, at once when it is certain', () => {
    const decoder = createStreamDecoder(tokenizer);
    const push = (token: string): string => decoder.push(tokenizer.tokenToId(token)!);
    expect(push('ð')).toBe('');
    expect(push('a')).toBe('\ufffda');
    expect(push('â')).toBe('');
    expect(push('Ĥ')).toBe('');
    expect(decoder.flush()).toBe('\ufffd');
    expect(push('a')).toBe('a');
    expect(decoder.flush()).toBe('');
  });

  it('skips special tokens only when asked to, and joins what is around them', () => {
    const ids = ['â', '<|end|>', 'Ĥ', '¬'].map((token) => tokenizer.tokenToId(token)!);
    const showing = createStreamDecoder(tokenizer);
    expect(ids.map((id) => showing.push(id))).toEqual(['', '\ufffd<|end|>', '\ufffd', '\ufffd']);
    const skipping = createStreamDecoder(tokenizer, { skipSpecialTokens: true });
    expect(ids.map((id) => skipping.push(id))).toEqual(['', '', '', '€']);
  });

  it('keeps a byte order mark', () => {
    const decoder = createStreamDecoder(tokenizer);
    const text = tokenizer.encode('\ufeffa').map((id) => decoder.push(id));
    expect(text.join('') + decoder.flush()).toBe('\ufeffa');
  });

  it('gives in all what decode gives', () => {
    const random = Random.seeded(6);
    const decoder = createStreamDecoder(tokenizer);
    for (let i = 0; i < 3000; i++) {
      const ids = tokenizer.encodeBytes(hostileBytes(random));
      if (random.boolean()) ids.splice(random.integer(0, ids.length), 0, random.integer(0, tokenizer.vocabSize - 1));
      const parts = ids.map((id) => decoder.push(id));
      expect(parts.join('') + decoder.flush()).toBe(tokenizer.decode(ids));
    }
  });

  it('refuses ids that there are not', () => {
    expect(() => createStreamDecoder(tokenizer, { skipSpecialTokens: true }).push(350)).toThrow(
      'id: 350 is not a token id; this tokenizer has the ids 0 to 349',
    );
  });
});

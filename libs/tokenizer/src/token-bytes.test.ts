import { describe, expect, it } from 'vitest';
import { TokenBytes } from './token-bytes.ts';

describe('TokenBytes', () => {
  const text = new TextDecoder();
  // "é" is in the byte alphabet, where it stands for the byte E9.
  const decoder = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } as const;
  const tokens = new TokenBytes(['Ġthe', 'é', 'é', '<｜a b｜>', ''], decoder, (id) => id === 2);

  it('reads tokens in the byte alphabet', () => {
    expect(text.decode(tokens.of(0))).toBe(' the');
    expect(tokens.of(1)).toEqual(Uint8Array.of(0xe9));
  });

  it('takes literal tokens, and those that are not in the alphabet, as text', () => {
    expect(text.decode(tokens.of(2))).toBe('é');
    expect(text.decode(tokens.of(3))).toBe('<｜a b｜>');
    expect(tokens.of(4)).toEqual(new Uint8Array());
  });

  it('concatenates, and skips', () => {
    expect(text.decode(tokens.concatenate([0, 3, 2], (id) => id === 3))).toBe(' theé');
    expect(tokens.concatenate(Int32Array.of(1, 1), () => false)).toEqual(Uint8Array.of(0xe9, 0xe9));
  });

  it.each([5, -1, 0.5, NaN, Infinity])('names %d as an id that there is not', (id) => {
    expect(() => tokens.of(id)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: `id: ${id} is not a token id; this tokenizer has the ids 0 to 4`,
      }),
    );
    expect(() => tokens.concatenate([0, id], () => true)).toThrow(
      expect.objectContaining({
        at: 'ids[1]',
        message: `ids[1]: ${id} is not a token id; this tokenizer has the ids 0 to 4`,
      }),
    );
  });
});

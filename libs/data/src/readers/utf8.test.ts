import { describe, expect, it } from 'vitest';
import { decodeUtf8 } from './utf8.ts';

const decode = (...bytes: number[]): string => decodeUtf8(Uint8Array.from(bytes), 'a.txt');

describe('decodeUtf8', () => {
  it('decodes', () => {
    expect(decodeUtf8(new TextEncoder().encode('a é € 😀 \ud7ff\ue000'), 'a.txt')).toBe('a é € 😀 \ud7ff\ue000');
    expect(decode()).toBe('');
  });

  it.each([
    ['a lone continuation byte', [0x61, 0x80], 1],
    ['Latin-1', [0x63, 0x61, 0x66, 0xe9, 0x20], 3],
    ['a sequence that is cut off', [0x61, 0x62, 0xe2, 0x82], 2],
    ['an overlong slash', [0xc0, 0xaf], 0],
    ['an overlong three-byte form', [0x61, 0xe0, 0x80, 0xaf], 1],
    ['a surrogate', [0xc3, 0xa9, 0xed, 0xa0, 0x80], 2],
    ['a value above U+10FFFF', [0x61, 0xf4, 0x90, 0x80, 0x80], 1],
    ['a byte that never occurs', [0x61, 0xff], 1],
  ])('says where %s is', (_what, bytes, offset) => {
    expect(() => decode(...bytes)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        at: 'a.txt',
        message: `a.txt: byte ${offset} is not UTF-8; texts must be UTF-8`,
      }),
    );
  });

  it('recognizes UTF-16 by its mark', () => {
    expect(() => decode(0xff, 0xfe, 0x61, 0x00)).toThrow('a.txt: byte 0 is not UTF-8 but UTF-16; texts must be UTF-8');
  });
});

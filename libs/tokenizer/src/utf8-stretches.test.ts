import { isUtf8 } from 'node:buffer';
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { hostileBytes } from './testing/hostile-text.ts';
import { forEachUtf8Stretch } from './utf8-stretches.ts';

function stretches(...bytes: number[]): (string | number)[] {
  const found: (string | number)[] = [];
  forEachUtf8Stretch(
    Uint8Array.from(bytes),
    (text) => found.push(text),
    (byte) => found.push(byte),
  );
  return found;
}

describe('forEachUtf8Stretch', () => {
  it.each([
    ['nothing', [], []],
    ['text in one stretch', [0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80], ['aé€😀']],
    ['a byte order mark as text', [0xef, 0xbb, 0xbf, 0x61], ['\ufeffa']],
    ['the ends of each length', [0x7f, 0xc2, 0x80, 0xdf, 0xbf, 0xe0, 0xa0, 0x80], ['\x7f\x80\u07ff\u0800']],
    ['the last code point', [0xf4, 0x8f, 0xbf, 0xbf], ['\u{10ffff}']],
    ['what is around surrogates', [0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80], ['\ud7ff\ue000']],
    ['surrogates as bytes', [0xed, 0xa0, 0x80, 0x61], [0xed, 0xa0, 0x80, 'a']],
    [
      'overlong forms as bytes',
      [0xc0, 0x80, 0xe0, 0x9f, 0xbf, 0xf0, 0x8f, 0xbf, 0xbf],
      [0xc0, 0x80, 0xe0, 0x9f, 0xbf, 0xf0, 0x8f, 0xbf, 0xbf],
    ],
    ['what lies above U+10FFFF as bytes', [0xf4, 0x90, 0x80, 0x80, 0xf5, 0xff], [0xf4, 0x90, 0x80, 0x80, 0xf5, 0xff]],
    ['a cut character as bytes', [0x61, 0xf0, 0x9f, 0x98], ['a', 0xf0, 0x9f, 0x98]],
    ['text after a cut character', [0xe2, 0x82, 0x62, 0xc3], [0xe2, 0x82, 'b', 0xc3]],
  ])('takes %s', (_what, bytes, found) => {
    expect(stretches(...bytes)).toEqual(found);
  });

  it('finds text where Node does, and loses nothing', () => {
    const random = Random.seeded(11);
    for (let i = 0; i < 10_000; i++) {
      const bytes = hostileBytes(random);
      const found = stretches(...bytes);
      expect(found.every((part) => typeof part === 'string')).toBe(isUtf8(bytes));
      expect(
        Buffer.concat(found.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part)))),
      ).toEqual(Buffer.from(bytes));
    }
  });
});

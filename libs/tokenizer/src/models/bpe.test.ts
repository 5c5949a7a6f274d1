import { describe, expect, it } from 'vitest';
import { BpeEncoder } from './bpe.ts';
import type { BpeModel } from './bpe.ts';
import { byteAlphabet } from './byte-alphabet.ts';

const id = (byte: string): number => byte.charCodeAt(0);
/** Bytes have themselves as ids; "ab" is 256, "bc" 257, "abc" 258, and "cab" 259 is made by no merge. */
const model: BpeModel = {
  vocab: new Map([...byteAlphabet, 'ab', 'bc', 'abc', 'cab'].map((token, i) => [token, i])),
  merges: [
    { left: id('a'), right: id('b'), merged: 256 },
    { left: id('b'), right: id('c'), merged: 257 },
    { left: 256, right: id('c'), merged: 258 },
  ],
  ignoreMerges: false,
};

function encode(encoder: BpeEncoder, piece: string): number[] {
  const ids: number[] = [];
  encoder.encodePiece(piece, ids);
  return ids;
}

describe('BpeEncoder', () => {
  it('merges the bytes of a piece, the same when asked again', () => {
    const encoder = new BpeEncoder(model, new Set());
    expect(encode(encoder, 'cabcé')).toEqual([id('c'), 258, 0xc3, 0xa9]);
    expect(encode(encoder, 'cabcé')).toEqual([id('c'), 258, 0xc3, 0xa9]);
    expect(encode(encoder, 'cab')).toEqual([id('c'), 256]);
  });

  it('takes a whole piece that is a token, if merges are to be ignored', () => {
    const encoder = new BpeEncoder({ ...model, ignoreMerges: true }, new Set());
    expect(encode(encoder, 'cab')).toEqual([259]);
    expect(encode(encoder, 'cabc')).toEqual([id('c'), 258]);
  });

  it('never yields a reserved id, neither by merging nor as a whole', () => {
    const encoder = new BpeEncoder({ ...model, ignoreMerges: true }, new Set([256, 259]));
    expect(encode(encoder, 'cab')).toEqual([id('c'), id('a'), id('b')]);
    expect(encode(encoder, 'dabc')).toEqual([id('d'), id('a'), 257]);
    expect(encode(encoder, 'abc')).toEqual([258]);
  });
});

import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { PieceCache } from './piece-cache.ts';

function get(cache: PieceCache, piece: string): number[] | undefined {
  const ids = [-1];
  return cache.get(`(${piece})`, 1, 1 + piece.length, ids) ? ids.slice(1) : undefined;
}

function add(cache: PieceCache, piece: string, ids: number[]): void {
  get(cache, piece);
  cache.add(piece, 0, piece.length, [-1, ...ids], 1);
}

describe('PieceCache', () => {
  it('remembers what it was given', () => {
    const cache = new PieceCache();
    add(cache, 'iron', [1, 2]);
    add(cache, '__proto__', [3]);
    add(cache, 'nothing', []);
    expect(get(cache, 'iron')).toEqual([1, 2]);
    expect(get(cache, '__proto__')).toEqual([3]);
    expect(get(cache, 'nothing')).toEqual([]);
    expect(get(cache, 'constructor')).toBeUndefined();
    expect(get(cache, 'iro')).toBeUndefined();
    expect(get(cache, '')).toBeUndefined();
  });

  it('keeps thousands of pieces apart', () => {
    const cache = new PieceCache();
    const random = Random.seeded(5);
    const pieces = new Set<string>();
    while (pieces.size < 20_000) {
      pieces.add(String.fromCharCode(...Array.from({ length: random.integer(1, 9) }, () => random.integer(97, 104))));
    }
    for (const [i, piece] of [...pieces].entries()) add(cache, piece, [i, i + 1]);
    expect([...pieces].every((piece, i) => get(cache, piece)?.join() === `${i},${i + 1}`)).toBe(true);
  });

  it('stays within its bounds', () => {
    const cache = new PieceCache(10);
    for (let i = 0; i < 1000; i++) {
      add(cache, `piece ${i}`, [i]);
      expect(cache.size).toBeLessThanOrEqual(10);
      expect(get(cache, `piece ${i}`)).toEqual([i]);
    }
    expect(get(cache, 'piece 500')).toBeUndefined();
  });
});

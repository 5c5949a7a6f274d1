import { describe, expect, it } from 'vitest';
import { PieceCache } from './piece-cache.ts';

describe('PieceCache', () => {
  it('remembers what it was given', () => {
    const cache = new PieceCache();
    cache.set('iron', [1, 2]);
    cache.set('__proto__', [3]);
    expect(cache.get('iron')).toEqual([1, 2]);
    expect(cache.get('__proto__')).toEqual([3]);
    expect(cache.get('constructor')).toBeUndefined();
  });

  it('stays within its bounds and forgets what is not asked for', () => {
    const cache = new PieceCache(10);
    for (let i = 0; i < 1000; i++) {
      cache.set(`piece ${i}`, [i]);
      expect(cache.get('piece 0')).toEqual([0]);
    }
    expect(cache.size).toBeLessThanOrEqual(20);
    expect(cache.get('piece 500')).toBeUndefined();
    expect(cache.get('piece 999')).toEqual([999]);
  });

  it('does not keep long pieces', () => {
    const cache = new PieceCache(10, 4);
    cache.set('iron', [1]);
    cache.set('irons', [2]);
    expect(cache.get('iron')).toEqual([1]);
    expect(cache.get('irons')).toBeUndefined();
  });
});

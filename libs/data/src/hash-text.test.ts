import { describe, expect, it } from 'vitest';
import { hashFraction, hashText } from './hash-text.ts';

describe('hashText', () => {
  it('never changes, because it decides what is held out', () => {
    expect(['', 'a', 'b', 'pair 12 345'].map(hashText)).toEqual([2872998923, 444641715, 2193908274, 2255094537]);
  });
});

describe('hashFraction', () => {
  it('is even over texts that differ in one digit', () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) counts[Math.floor(hashFraction(`row ${i}`) * 10)]!++;
    // Nine degrees of freedom; 30 is beyond the 99.95th percentile.
    expect(counts.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(30);
  });
});

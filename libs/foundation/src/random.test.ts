import { describe, expect, it } from 'vitest';
import { Random, philox } from './random.ts';

const hex = (words: Uint32Array): string[] => [...words].map((word) => word.toString(16).padStart(8, '0'));

describe('philox()', () => {
  // Known-answer vectors of the Random123 distribution (kat_vectors, philox4x32-10).
  it('agrees with the published vectors', () => {
    const out = new Uint32Array(4);
    expect(hex(philox([0, 0], 0, 0, 0, 0, out))).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
    expect(hex(philox([0xffffffff, 0xffffffff], 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, out))).toEqual([
      '408f276d',
      '41c83b0e',
      'a20bc7c6',
      '6d5451fd',
    ]);
    expect(hex(philox([0xa4093822, 0x299f31d0], 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, out))).toEqual([
      'd16cfe09',
      '94fdcceb',
      '5001e420',
      '24126ea1',
    ]);
  });
});

describe('Random', () => {
  it('goes on from a saved state as if it had not stopped', () => {
    const random = Random.seeded(7);
    for (let i = 0; i < 13; i++) random.uint32();
    const resumed = Random.resumed(JSON.parse(JSON.stringify(random.state)) as typeof random.state);
    expect(Array.from({ length: 9 }, () => resumed.uint32())).toEqual(Array.from({ length: 9 }, () => random.uint32()));
  });

  it('forks streams that depend on the name and not on what was drawn', () => {
    const random = Random.seeded(7);
    const before = random.fork('data').uint32();
    random.uint32();
    expect(random.fork('data').uint32()).toBe(before);
    expect(random.fork('init').uint32()).not.toBe(before);
    expect(Random.seeded(8).fork('data').uint32()).not.toBe(before);
  });

  it('draws integers evenly over the whole range', () => {
    const random = Random.seeded(1);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) counts[random.integer(5, 10) - 5]!++;
    // Five degrees of freedom; 25 is beyond the 99.98th percentile.
    expect(counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(25);
  });

  it('draws normals of mean 0 and variance 1', () => {
    const random = Random.seeded(2);
    const draws = Array.from({ length: 40_000 }, () => random.normal());
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });

  it('draws indices in proportion to weights', () => {
    const random = Random.seeded(3);
    const counts = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) counts[random.weighted([1, 0, 2])]!++;
    expect(counts[1]).toBe(0);
    expect(counts[2]! / counts[0]!).toBeGreaterThan(1.9);
    expect(counts[2]! / counts[0]!).toBeLessThan(2.1);
  });
});

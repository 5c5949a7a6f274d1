import { expect, it } from 'vitest';
import { batchBucket, countBucket, nextPowerOfTwo, rowTime, timeBucket } from './buckets.ts';

it('rounds up to powers of two, from the least', () => {
  expect([1, 2, 3, 64, 65].map((size) => nextPowerOfTwo(size))).toEqual([1, 2, 4, 64, 128]);
  expect(nextPowerOfTwo(5, 16)).toBe(16);
});

it('pads batches by less than half, large ones by less than 32 rows', () => {
  expect([1, 2, 3, 32, 33, 64, 65, 160, 161].map(batchBucket)).toEqual([1, 2, 4, 32, 64, 64, 96, 160, 192]);
});

it('pads what is looked at by less than half, much of it by less than 512', () => {
  expect([1, 64, 65, 1024, 1025, 3360].map(countBucket)).toEqual([64, 64, 128, 1024, 1536, 3584]);
});

it('packs into rows of the context, or of less where sequences are far shorter', () => {
  expect([1, 100, 600, 4000].map((longest) => rowTime(longest, 4096))).toEqual([512, 512, 1024, 4096]);
  expect([1, 100].map((longest) => rowTime(longest, 96))).toEqual([96, 96]);
});

it('holds every length within the context, and says when one is beyond', () => {
  expect([1, 16, 17, 80, 100].map((length) => timeBucket(length, 100))).toEqual([16, 16, 32, 100, 100]);
  expect(() => timeBucket(101, 100)).toThrow('101 tokens are more than the context of 100');
});

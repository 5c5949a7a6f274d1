import { expect, test } from 'vitest';
import { bytes, count, duration, figure } from './format.ts';

test('figures have three digits, of whatever size they are', () => {
  expect([0, 0.00012345, 0.0012345, 1.23456, 45.678, 123.4, 1234567, -0.5, Number.NaN].map(figure)).toEqual([
    '0',
    '1.2e-4',
    '0.00123',
    '1.23',
    '45.7',
    '123',
    '1,234,567',
    '-0.5',
    'NaN',
  ]);
});

test('times and sizes have units', () => {
  expect([12, 1234, 61_000, 3_723_000].map(duration)).toEqual(['12 ms', '1.2 s', '1 min 1 s', '1 h 2 min']);
  expect([999, 1500, 25_000_000, 2e12].map(bytes)).toEqual(['999 B', '1.5 kB', '25 MB', '2000 GB']);
  expect([count(1, 'step'), count(1200, 'step')]).toEqual(['1 step', '1,200 steps']);
});

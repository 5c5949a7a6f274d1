import { errorCodes } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { codeFromStatus, statusFromCode } from './status.ts';

describe('statusFromCode', () => {
  // Numbers on the wire, which clients in other languages know: a change breaks them.
  it('is this table', () => {
    expect(statusFromCode).toEqual({
      'invalid-input': 3,
      'not-found': 5,
      conflict: 6,
      'failed-precondition': 9,
      'resource-exhausted': 8,
      unauthenticated: 16,
      'permission-denied': 7,
      unavailable: 14,
      'deadline-exceeded': 4,
      cancelled: 1,
      'data-loss': 15,
      unimplemented: 12,
      internal: 13,
    });
  });

  it('has every code', () => {
    expect(Object.keys(statusFromCode)).toEqual([...errorCodes]);
  });
});

describe('codeFromStatus()', () => {
  it('is this table', () => {
    expect(Object.fromEntries(Array.from({ length: 18 }, (_, number) => [number, codeFromStatus(number)]))).toEqual({
      0: 'internal',
      1: 'cancelled',
      2: 'internal',
      3: 'invalid-input',
      4: 'deadline-exceeded',
      5: 'not-found',
      6: 'conflict',
      7: 'permission-denied',
      8: 'resource-exhausted',
      9: 'failed-precondition',
      10: 'conflict',
      11: 'invalid-input',
      12: 'unimplemented',
      13: 'internal',
      14: 'unavailable',
      15: 'data-loss',
      16: 'unauthenticated',
      17: 'internal',
    });
  });
});

import { describe, expect, it } from 'vitest';
import './all-close.ts';

describe('toBeAllClose', () => {
  it('takes numbers, typed arrays and nested arrays, whatever the type of array', () => {
    expect(1.0000001).toBeAllClose(1);
    expect(new Float32Array([0.1, 0.2])).toBeAllClose([0.1, 0.2]);
    expect([new Float64Array([1, 2]), [3, 4]]).toBeAllClose([
      [1, 2],
      [3, 4],
    ]);
    expect(new BigInt64Array([1n, 2n])).toBeAllClose([1, 2]);
    expect([]).toBeAllClose([]);
  });

  it('allows atol + rtol * |expected| and nothing more', () => {
    expect(100.5).toBeAllClose(100, { atol: 0.25, rtol: 0.0025 });
    expect(100.5).not.toBeAllClose(100, { atol: 0.25, rtol: 0.0024 });
    expect(-100.5).toBeAllClose(-100, { atol: 0, rtol: 0.005 });
    expect(0.5).toBeAllClose(0, { atol: 0.5, rtol: 1 });
    expect(0.51).not.toBeAllClose(0, { atol: 0.5, rtol: 1 });
  });

  it('names the worst index and the values there', () => {
    expect(() => {
      expect([
        [1, 2],
        [3.5, 5],
      ]).toBeAllClose(
        [
          [1, 2],
          [3, 4],
        ],
        { atol: 0.25, rtol: 0 },
      );
    }).toThrow('2 of 4 values are not close (atol 0.25, rtol 0); the worst is at [1][1]: 5, expected 4, difference 1');
  });

  it('finds NaN worse than any difference, and close to nothing', () => {
    expect(() => expect([NaN, 9]).toBeAllClose([0, 0], { atol: 1, rtol: 0 })).toThrow(
      'the worst is at [0]: NaN, expected 0, difference NaN',
    );
    expect(NaN).not.toBeAllClose(NaN);
    expect(NaN).not.toBeAllClose(1, { atol: Infinity });
  });

  it('takes an infinity for close to itself alone', () => {
    expect([Infinity, -Infinity]).toBeAllClose([Infinity, -Infinity]);
    expect(Infinity).not.toBeAllClose(-Infinity);
    expect(1).not.toBeAllClose(Infinity);
    expect(Infinity).not.toBeAllClose(1);
  });

  it('compares shapes', () => {
    expect(() => expect([1, 2, 3]).toBeAllClose([1, 2])).toThrow('lengths differ: 3, expected 2');
    expect(() => expect([[1], [2, 3]]).toBeAllClose([[1], [2]])).toThrow('lengths differ at [1]: 2, expected 1');
    expect(() => expect([1, 2]).toBeAllClose([[1], [2]])).toThrow(
      'shapes differ at [0]: a number, expected an array of 1',
    );
    expect(() => expect('1').toBeAllClose(1)).toThrow('shapes differ: 1, expected a number');
  });

  it('refuses a negative or missing tolerance', () => {
    expect(() => expect(1).toBeAllClose(1, { atol: -1 })).toThrow('toBeAllClose: atol is -1; it must be 0 or more');
    expect(() => expect(1).toBeAllClose(1, { rtol: NaN })).toThrow('toBeAllClose: rtol is NaN; it must be 0 or more');
  });
});

import '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { warmupDecay, type WarmupDecay } from './schedule.ts';

const valuesOf = (options: WarmupDecay, steps: readonly number[]): number[] => steps.map(warmupDecay(options));

describe('warmupDecay', () => {
  it('rises to 1 within the warm-up, never at 0, and falls to `final` with the last step behind it', () => {
    const options = { steps: 12, warmup: 4, shape: 'linear' } as const;
    expect(valuesOf(options, [0, 1, 2, 3, 4, 5, 8, 11, 12])).toBeAllClose([
      0.25,
      0.5,
      0.75,
      1,
      1,
      1 - 1 / 8,
      0.5,
      1 - 7 / 8,
      0,
    ]);
  });

  it('falls along half a cosine by default, from the first step where there is no warm-up', () => {
    const values = valuesOf({ steps: 8 }, [0, 1, 2, 4, 6, 8]);
    const cosine = (share: number): number => (1 + Math.cos(Math.PI * share)) / 2;
    expect(values).toBeAllClose([1, cosine(1 / 8), cosine(1 / 4), 0.5, cosine(3 / 4), 0]);
    expect(cosine(1 / 4)).toBeAllClose(0.853553, { atol: 1e-6 });
  });

  it('stays at the peak until the last share of the steps', () => {
    const options = { steps: 100, warmup: 10, decayShare: 0.2, shape: 'linear' } as const;
    expect(valuesOf(options, [0, 9, 10, 50, 79, 80, 85, 90, 99, 100])).toBeAllClose([
      0.1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.05, 0,
    ]);
  });

  it('begins to fall after the warm-up where the two would overlap', () => {
    const options = { steps: 10, warmup: 6, decayShare: 0.9, shape: 'linear' } as const;
    expect(valuesOf(options, [5, 6, 7, 8, 9, 10])).toBeAllClose([1, 1, 0.75, 0.5, 0.25, 0]);
  });

  it('falls to a share of the peak, and stays there after the end', () => {
    const options = { steps: 10, shape: 'linear', final: 0.1 } as const;
    expect(valuesOf(options, [0, 5, 10, 25])).toBeAllClose([1, 0.55, 0.1, 0.1]);
    expect(valuesOf({ ...options, shape: 'cosine' }, [0, 5, 10, 25])).toBeAllClose([1, 0.55, 0.1, 0.1]);
  });

  it('stays at the peak for good with no share to fall over, and may warm up over the whole run', () => {
    expect(valuesOf({ steps: 5, decayShare: 0 }, [0, 1, 4])).toEqual([1, 1, 1]);
    expect(valuesOf({ steps: 4, warmup: 4 }, [0, 1, 2, 3])).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it.each<[WarmupDecay, string]>([
    [{ steps: 10, warmup: 11 }, 'schedule: 11 warm-up steps do not fit into 10'],
    [{ steps: 10, warmup: -1 }, 'schedule: -1 warm-up steps do not fit into 10'],
    [{ steps: 0 }, 'schedule: 0 warm-up steps do not fit into 0'],
    [{ steps: NaN }, 'schedule: 0 warm-up steps do not fit into NaN'],
    [{ steps: 10, decayShare: 1.5 }, 'schedule: decayShare is 1.5; a share from 0 to 1 is needed'],
    [{ steps: 10, decayShare: NaN }, 'schedule: decayShare is NaN; a share from 0 to 1 is needed'],
    [{ steps: 10, final: -0.1 }, 'schedule: final is -0.1; a share from 0 to 1 is needed'],
  ])('refuses %j', (options, message) => {
    expect(() => warmupDecay(options)).toThrow(expect.objectContaining({ code: 'invalid-input', message }));
  });
});

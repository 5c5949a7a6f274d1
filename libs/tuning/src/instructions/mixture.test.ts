import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import type { InstructionTask } from './instruction-task.ts';
import { createMixture, holdOut, mixtureShares } from './mixture.ts';

const task = (name: string, cluster: string, size: number, related?: string[]): InstructionTask => ({
  name,
  cluster,
  size,
  ...(related && { related }),
  draw: () => ({ prompt: name, answer: 'x' }),
  test: [],
});

describe('mixtures', () => {
  it('draw in proportion to the examples, up to the cap', () => {
    expect(mixtureShares([100, 300, 9000], 400)).toEqual([0.125, 0.375, 0.5]);
    expect(mixtureShares([5, 0], 3000)).toEqual([1, 0]);
    expect(() => mixtureShares([0, 0], 3000)).toThrow('instructions: there is none to learn from');
    expect(() => mixtureShares([1], 0)).toThrow('cap is 0; a number from 1 is needed');
    const { draw } = createMixture([task('a', 'x', 100), task('b', 'x', 300), task('c', 'x', 9000)], 400);
    const random = Random.seeded(1);
    const drawn = Array.from({ length: 4000 }, () => draw(random).prompt);
    const share = (name: string): number => drawn.filter((each) => each === name).length / drawn.length;
    expect(share('a')).toBeCloseTo(0.125, 1);
    expect(share('b')).toBeCloseTo(0.375, 1);
    expect(share('c')).toBeCloseTo(0.5, 1);
  });

  it('hold out clusters, and what has their texts', () => {
    const tasks = [task('a', 'x', 1), task('b', 'y', 1), task('c', 'y', 1), task('d', 'z', 1, ['y'])];
    const names = (some: readonly InstructionTask[]): string[] => some.map(({ name }) => name);
    const { seen, unseen } = holdOut(tasks, ['y']);
    expect([names(seen), names(unseen)]).toEqual([['a'], ['b', 'c']]);
    expect(names(holdOut(tasks, ['z']).seen)).toEqual(['a', 'b', 'c']);
    expect(() => holdOut(tasks, ['w'])).toThrow('hold-out: there is no cluster "w"; there are x, y, z');
    expect(() => holdOut(tasks, ['x', 'y', 'z'])).toThrow(
      'hold-out: all of x, y, z are held out; nothing is left to learn from',
    );
  });
});

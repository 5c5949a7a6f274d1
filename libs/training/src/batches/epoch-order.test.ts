import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { EpochOrder } from './epoch-order.ts';

const items = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

function orderOf(seed: number, of: readonly string[] = items): EpochOrder<string> {
  return new EpochOrder(of, Random.seeded(seed));
}

describe('an epoch order', () => {
  it('has every item once an epoch, in an order of its own', () => {
    const taken = orderOf(1).slice(0, 4 * items.length);
    const epochs = [0, 1, 2, 3].map((epoch) => taken.slice(epoch * items.length, (epoch + 1) * items.length));
    for (const epoch of epochs) expect(epoch.toSorted()).toEqual(items);
    expect(new Set(epochs.map(String)).size).toBe(4);
  });

  it('follows from the seed alone', () => {
    expect(orderOf(1).slice(0, 21)).toEqual(orderOf(1).slice(0, 21));
    expect(orderOf(1).slice(0, 21)).not.toEqual(orderOf(2).slice(0, 21));
  });

  it('goes on at any position as if it had come there from the beginning', () => {
    const whole = orderOf(3).slice(0, 40);
    for (const position of [1, 6, 7, 8, 20, 33])
      expect(orderOf(3).slice(position, 7)).toEqual(whole.slice(position, position + 7));
    const order = orderOf(3);
    for (const position of [39, 0, 14, 13, 14]) expect(order.at(position)).toBe(whole[position]);
  });

  it('gives each step what comes after the one before, all of it where a step wants more', () => {
    const steps = [0, 1, 2, 3].flatMap((step) => orderOf(3).batch(step, 3));
    expect(steps).toEqual(orderOf(3).slice(0, 12));
    expect(orderOf(3).batch(1, 99)).toEqual(orderOf(3).slice(7, 7));
  });

  it('shuffles once an epoch, however often it is asked', () => {
    let copies = 0;
    const counted = [...items];
    counted[Symbol.iterator] = function () {
      copies++;
      return items[Symbol.iterator]();
    };
    const order = orderOf(4, counted);
    for (let position = 0; position < 3 * items.length; position++) order.at(position);
    expect(copies).toBe(3);
  });
});

import { Random } from '@crucible/foundation';
import { expect, it } from 'vitest';
import { Heap } from './heap.ts';

it('Heap gives items in order, whatever the order of pushes and pops', () => {
  const random = Random.seeded(5);
  const heap = new Heap<number>((a, b) => a < b);
  let model: number[] = [];
  for (let i = 0; i < 2000; i++) {
    if (random.boolean(0.6)) {
      const item = random.integer(0, 99);
      heap.push(item);
      model = [...model, item].sort((a, b) => a - b);
    } else {
      expect(heap.pop()).toBe(model.shift());
    }
  }
  while (model.length > 0) expect(heap.pop()).toBe(model.shift());
  expect(heap.pop()).toBeUndefined();
});

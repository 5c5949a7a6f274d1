/** Threefry-2x32 with 20 rounds (Salmon et al. 2011): a key uint32 [2] makes random words of counters. */
import { invalidInput } from '@crucible/foundation';
import { printType } from '../ir/print.ts';
import type { Tensor } from '../ir/tensor.ts';
import { sizeOf } from '../shape.ts';
import { add, bitXor, shiftLeft, shiftRight } from './elementwise.ts';
import { gather } from './indexing.ts';
import { reshape } from './movement.ts';

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** Two counters to two random words, for uint32 of any shape. */
export function threefry(key: Tensor, counter0: Tensor, counter1: Tensor): [Tensor, Tensor] {
  if (key.dtype !== 'uint32' || sizeOf(key.shape) !== 2) {
    throw invalidInput(`random: ${printType(key)} is no key, which is uint32[2]; see randomKey`);
  }
  const word = (i: number): Tensor => gather(reshape(key, [2]), key.graph.scalar(i, 'int32'));
  const [first, second] = [word(0), word(1)];
  const words = [first, second, bitXor(bitXor(first, second), 0x1bd11bda)] as const;
  let [x, y] = [add(counter0, first), add(counter1, second)];
  for (let group = 0; group < 5; group++) {
    for (const places of rotations[group % 2]!) {
      x = add(x, y);
      // The two halves of a rotation have no bit in common: their sum is their union.
      y = bitXor(add(shiftLeft(y, places), shiftRight(y, 32 - places)), x);
    }
    x = add(x, words[(group + 1) % 3]!);
    y = add(y, add(words[(group + 2) % 3]!, group + 1));
  }
  return [x, y];
}

import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { cachedAttention } from '../library/neural.ts';
import { type FloatArray, floats, ints } from '../nd-array.ts';
import { evaluatePrimitive } from '../reference/evaluate.ts';
import { sizeOf } from '../shape.ts';
import { compile } from '../trace/compile.ts';

describe('decoding attention', () => {
  it.each([2, 4, 6, 8, 10, 12, 16])('works with heads of size %i', async (size) => {
    const random = Random.seeded(size);
    const normal = (...shape: number[]): FloatArray =>
      floats(
        shape,
        Array.from({ length: sizeOf(shape) }, () => random.normal()),
      );
    const [query, key, value] = [normal(3, 1, 4 * size), normal(3, 1, 2 * size), normal(3, 1, 2 * size)];
    const [keys, values, lengths] = [normal(3, 2, 5, size), normal(3, 2, 5, size), ints([3], [0, 5, 3])];
    const heads = { heads: 4, keyValueHeads: 2 };
    const program = await compile({ query, key, value, keys, values, lengths }, (given) => ({
      mixed: cachedAttention(given.query, given.key, given.value, given, heads),
    }));
    const { mixed } = await program.run({ query, key, value, keys, values, lengths });
    // Sizes that the kernel takes run without copies of the cache.
    expect(program.print().includes('pad')).toBe(size % 8 !== 0);
    await program.dispose();
    const type = { shape: [3, 1, 4 * size], dtype: 'float32' } as const;
    const inputs = [query, key, value, keys, values, lengths];
    const expected = evaluatePrimitive('cachedAttention', inputs, heads, type);
    mixed.data.forEach((element, i) => expect(element).toBeCloseTo(expected.data[i]!, 5));
  });
});

import { add, compile, scalar, type Tensor, type TensorType } from '@crucible/tensor';
import { expect, it } from 'vitest';
import { ProgramCache } from './program-cache.ts';

type Sizes = [first: number, second: number];

const type: TensorType = { shape: [], dtype: 'float32' };

it('compiles for each size once, and anew only what was used longest ago', async () => {
  const compiled: string[] = [];
  const cache = new ProgramCache<Sizes, { x: TensorType }, { y: Tensor }>((...sizes) => {
    compiled.push(sizes.join());
    return compile({ x: type }, ({ x }) => ({ y: add(x, sizes[0]) }));
  }, 2);
  const run = async (size: number): Promise<number> =>
    (await (await cache.get(size, 0)).run({ x: scalar(0.5) })).y.data[0]!;

  expect([await run(1), await run(2), await run(1), await run(3)]).toEqual([1.5, 2.5, 1.5, 3.5]);
  expect(compiled).toEqual(['1,0', '2,0', '3,0']);
  expect([await run(1), await run(2)]).toEqual([1.5, 2.5]);
  expect(compiled.slice(3)).toEqual(['2,0']);
  await cache.dispose();
  expect(await run(1)).toBe(1.5);
  expect(compiled.slice(4)).toEqual(['1,0']);
  await cache.dispose();
});

it('releases the programs that it lets go of', async () => {
  const cache = new ProgramCache<Sizes, { x: TensorType }, { y: Tensor }>(
    () => compile({ x: type }, ({ x }) => ({ y: add(x, 1) })),
    1,
  );
  const first = await cache.get(1, 0);
  await cache.get(2, 0);
  await expect(first.run({ x: scalar(0) })).rejects.toThrow();
  await cache.dispose();
});

import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { expect, it } from 'vitest';
import { createOptimizer } from './optimizer.ts';
import { partedOptimizer } from './parted.ts';
import { advance } from './testing/advance.ts';
import { normalArray } from './testing/normal-array.ts';

it('moves each part as if it were alone, clipped by its own norm', async () => {
  const random = Random.seeded(1);
  const part = () => ({ a: normalArray([3, 2], random), b: { c: normalArray([4], random) } });
  const start = { one: part(), two: part() };
  const steps = [1, 40].map((scale) => {
    const gradients = { one: part(), two: part() };
    gradients.two.a.data.forEach((value, i) => (gradients.two.a.data[i] = scale * value));
    return { gradients, rate: 0.1 };
  });
  const single = createOptimizer({ clipNorm: 1, adamW: { weightDecay: 0.1 } });
  const optimizer = partedOptimizer(single);
  const both = await advance(optimizer, { parameters: start, state: optimizer.init(start) }, steps);
  for (const name of ['one', 'two'] as const) {
    const own = steps.map(({ gradients, rate }) => ({ gradients: gradients[name], rate }));
    const alone = await advance(single, { parameters: start[name], state: single.init(start[name]) }, own);
    const [got, wanted] = [both.parameters as typeof start, alone.parameters as (typeof start)['one']];
    expect(got[name].a.data).toBeAllClose(wanted.a.data, { atol: 1e-6 });
    expect(got[name].b.c.data).toBeAllClose(wanted.b.c.data, { atol: 1e-6 });
  }
});

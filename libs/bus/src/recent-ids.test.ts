import { expect, it } from 'vitest';
import { RecentIds } from './recent-ids.ts';

it('forgets the oldest ids beyond its capacity', () => {
  const ids = new RecentIds<number>({ capacity: 2 });
  for (const [value, id] of ['a', 'b', 'a', 'c'].entries()) ids.add(id, value);
  expect(['a', 'b', 'c'].map((id) => ids.get(id))).toEqual([2, undefined, 3]);
});

it('forgets ids that are older than its age, read or not', () => {
  const ids = new RecentIds<number>({ maxAge: 60_000 });
  ids.add('old', 1, Date.now() - 60_001);
  ids.add('young', 2, Date.now() - 59_000);
  expect([ids.get('old'), ids.get('young')]).toEqual([undefined, 2]);
  ids.delete('young');
  expect(ids.get('young')).toBeUndefined();
});

import { expect, test } from 'vitest';
import { offersFrom } from './models.ts';

const named = (...ids: string[]) => ids.map((id) => ({ id }));

test('strategies are told from models, also those of models that serve elsewhere', () => {
  const data = named('crucible', 'mine-d', 'org/mine', 'crucible/direct', 'crucible/rag', 'far/direct', 'far/rag');
  expect(offersFrom(data)).toEqual({
    models: [...named('crucible', 'mine-d', 'org/mine'), { id: 'far', needsStrategy: true }],
    strategies: ['direct', 'rag'],
  });
});

test('before the first model there are strategies and nothing to ask', () => {
  expect(offersFrom(named('crucible/direct'))).toEqual({ models: [], strategies: ['direct'] });
  expect(offersFrom([])).toEqual({ models: [], strategies: [] });
});

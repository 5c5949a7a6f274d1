import { expect, test } from 'vitest';
import { addressOf, placeFrom } from './router.ts';

test('the root is the chat, other pages have their names, and all else is no page', () => {
  expect(placeFrom('/')).toEqual({ page: 'chat', query: {} });
  expect(placeFrom('/knowledge?collection=a%20b&document=x%23y%2Fz')).toEqual({
    page: 'knowledge',
    query: { collection: 'a b', document: 'x#y/z' },
  });
  expect(placeFrom('/forge/').page).toBe('forge');
  expect(placeFrom('/chat').page).toBeUndefined();
  expect(placeFrom('//evil.example/forge').page).toBe('forge');
  expect(placeFrom('/constructor').page).toBeUndefined();
});

test('an address says what its place has, whatever characters are in it', () => {
  const query = { collection: 'öl & "wasser"', document: '../x?y#z%2F\u202e' };
  expect(placeFrom(addressOf('knowledge', query))).toEqual({ page: 'knowledge', query });
  expect(addressOf('chat', { model: undefined, ask: '' })).toBe('/');
  expect(addressOf('runs', { run: 7 })).toBe('/runs?run=7');
});

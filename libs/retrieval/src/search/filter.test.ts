import { describe, expect, test } from 'vitest';
import type { DocumentRecord } from '../store/passage-store.ts';
import { parseFilter } from './filter.ts';

const record: DocumentRecord = {
  id: 'guide/a.md',
  source: 'guide/a.md',
  sourceDigest: '',
  sourceDocuments: 1,
  title: 'A',
  metadata: { lang: 'en', year: 2021, draft: false, tags: ['x', 'y'], quoted: "' OR 1=1 --" },
  digest: '',
  ingestedAt: '2026-01-01T00:00:00.000Z',
};

test.each([
  [{}, true],
  [{ lang: 'en' }, true],
  [{ lang: 'zh' }, false],
  [{ year: { gte: 2020, lt: 2022 } }, true],
  [{ year: { gt: '2020' } }, false],
  [{ tags: 'x' }, true],
  [{ tags: { ne: 'x' } }, false],
  [{ lang: { in: ['zh', 'en'] } }, true],
  [{ missing: { exists: false } }, true],
  [{ missing: 'x' }, false],
  [{ draft: false }, true],
  [{ '@source': { prefix: 'guide/' } }, true],
  [{ or: [{ lang: 'zh' }, { and: [{ year: 2021 }, { not: { draft: true } }] }] }, true],
  // Words of SQL are words.
  [{ lang: "en' OR '1'='1" }, false],
  [{ "lang = 'en' --": 'x' }, false],
  [{ quoted: "' OR 1=1 --" }, true],
  // Nor do names of JavaScript's objects mean anything.
  [{ __proto__x: 'x' }, false],
  [{ constructor: { exists: true } }, false],
  [{ toString: { exists: true } }, false],
] as const)('%j is %s', (filter, expected) => {
  expect(parseFilter(filter)(record)).toBe(expected);
});

describe('a wrong filter is refused by name:', () => {
  test.each([
    ["lang = 'en'; DROP TABLE passages", 'filter: an object is needed, for example {"lang": "en"}'],
    [
      { year: { like: '%' } },
      'filter.year.like: there is no such operator; there are eq, ne, gt, gte, lt, lte, prefix, in, exists',
    ],
    [{ year: { constructor: 1 } }, 'filter.year.constructor: there is no such operator'],
    [{ year: null }, 'filter.year: a value or an object of eq,'],
    [{ or: [] }, 'filter: or needs a list of filters'],
    [{ or: [{ a: { in: 'x' } }] }, 'filter.or[0].a.in: a list of values is needed'],
    [{ '@text': 'x' }, 'filter.@text: there is no such field; there are @id, @source, @title, @ingestedAt'],
    [{ year: { gt: { a: 1 } } }, 'filter.year.gt: a string, a number, true or false is needed'],
  ])('%j', (filter, message) => {
    expect(() => parseFilter(filter)).toThrow(message);
  });

  test('a hundred deep, or of a thousand conditions', () => {
    let deep: object = { a: 1 };
    for (let i = 0; i < 100; i++) deep = { not: deep };
    expect(() => parseFilter(deep)).toThrow('it is nested deeper than 16');
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, 1]));
    expect(() => parseFilter(wide)).toThrow('it has more than 256 conditions');
  });
});

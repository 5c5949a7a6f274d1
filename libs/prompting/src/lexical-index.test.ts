import { expect, it } from 'vitest';
import { LexicalIndex, termsOf } from './lexical-index.ts';

it('ranks by BM25, to the digits of a calculation by hand', () => {
  const index = new LexicalIndex(['the cat sat', 'the dog', 'cat cat cat cat']);
  // N = 3, df(cat) = 2, average length 3.
  const idf = Math.log(1 + (3 - 2 + 0.5) / (2 + 0.5));
  const score = (count: number, length: number) => (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / 3));
  const hits = index.search('Cat?', 10);
  expect(hits.map((hit) => hit.index)).toEqual([2, 0]);
  expect(hits[0]!.score).toBeCloseTo(score(4, 4), 12);
  expect(hits[1]!.score).toBeCloseTo(score(1, 3), 12);
});

it('finds nothing where no word is shared, and keeps to what is allowed and to the limit', () => {
  const index = new LexicalIndex(['red', 'red red', 'blue', 'red']);
  expect(index.search('green', 5)).toEqual([]);
  expect(index.search('red', 5, (i) => i !== 1).map((hit) => hit.index)).toEqual([0, 3]);
  expect(index.search('red', 1)).toHaveLength(1);
  expect(new LexicalIndex([]).search('red', 5)).toEqual([]);
});

it('knows words of any script, without case and accents', () => {
  expect(termsOf('Crème brûlée, 12 Ärzte – 東京')).toEqual(['creme', 'brulee', '12', 'arzte', '東京']);
});

import { expect, test } from 'vitest';
import { Random } from '@crucible/foundation';
import { LexicalIndex } from './lexical-index.ts';

/** The definition, summed up term by term and passage by passage. */
function reference(
  passages: ReadonlyMap<number, readonly string[]>,
  query: ReadonlyMap<string, number>,
): Map<number, number> {
  const [k1, b] = [0.9, 0.4];
  const all = [...passages.values()];
  const average = all.reduce((sum, terms) => sum + terms.length, 0) / all.length;
  const scores = new Map<number, number>();
  const idf = new Map(
    [...query.keys()].map((term) => {
      const df = all.filter((terms) => terms.includes(term)).length;
      return [term, Math.log(1 + (all.length - df + 0.5) / (df + 0.5))];
    }),
  );
  for (const [slot, terms] of passages) {
    let score = 0;
    for (const [term, weight] of query) {
      const tf = terms.filter((each) => each === term).length;
      score += (weight * idf.get(term)! * tf * (k1 + 1)) / (tf + k1 * (1 - b + (b * terms.length) / average));
    }
    if (score > 0) scores.set(slot, score);
  }
  return scores;
}

const random = Random.seeded(3);
const words = Array.from({ length: 40 }, (_, i) => `w${i}`);
const passage = (): string[] =>
  Array.from({ length: random.integer(1, 30) }, () => words[Math.floor(words.length * random.uniform() ** 3)]!);

test('scores are BM25, while passages come and go, and after tidying', () => {
  const index = new LexicalIndex();
  const passages = new Map<number, readonly string[]>();
  const query = new Map([
    ['w0', 1],
    ['w7', 2],
    ['w39', 1],
    ['unknown', 1],
  ]);
  const check = (): void => {
    const expected = reference(passages, query);
    const found = index.search(query, 10_000);
    expect(new Set(found.map(({ slot }) => slot))).toEqual(new Set(expected.keys()));
    for (const { slot, score } of found) expect(score).toBeCloseTo(expected.get(slot)!, 4);
    expect(found.map(({ score }) => score)).toEqual([...found.map(({ score }) => score)].sort((x, y) => y - x));
    expect(index.size).toBe(passages.size);
  };
  const add = (slot: number): void => {
    passages.set(slot, passage());
    index.add(slot, passages.get(slot)!);
  };
  for (let slot = 0; slot < 3000; slot++) add(slot);
  check();
  for (let slot = 0; slot < 2000; slot++) {
    if (slot % 3 === 0) continue;
    index.remove(slot);
    passages.delete(slot);
  }
  check();
  expect(index.isUntidy).toBe(true);
  index.tidy();
  check();
  // Tidied slots may be used again.
  add(1);
  add(2);
  check();
});

test('only what is allowed is found, and probes get their scores', () => {
  const index = new LexicalIndex();
  index.add(0, ['a', 'b']);
  index.add(1, ['a']);
  index.add(2, ['b']);
  const probes = new Map([
    [1, -1],
    [2, -1],
  ]);
  const all = index.search(new Map([['a', 1]]), 10);
  const found = index.search(new Map([['a', 1]]), 10, Uint8Array.of(1, 0, 1), probes);
  expect(found.map(({ slot }) => slot)).toEqual([0]);
  expect(probes).toEqual(
    new Map([
      [1, all.find(({ slot }) => slot === 1)!.score],
      [2, 0],
    ]),
  );
  expect(index.search(new Map([['c', 1]]), 10)).toEqual([]);
});

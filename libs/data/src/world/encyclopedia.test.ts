import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { attributes, entityKinds } from './attributes.ts';
import { createEncyclopedia, pageCounts, smallPageCounts } from './encyclopedia.ts';
import { isFactOnSide } from './facts.ts';
import { splits } from './split.ts';
import { factsIn } from './testing/fact-reading.ts';

const encyclopedias = [
  ...splits.map((split) => ({ split, size: 280, counts: pageCounts })),
  { split: 'train' as const, size: 28, counts: smallPageCounts },
];

describe.each(encyclopedias)('the encyclopedia of $split, with $size pages', ({ split, size, counts }) => {
  const encyclopedia = createEncyclopedia(split, Random.seeded(1), counts);

  it('has pages of every kind, all with different titles', () => {
    expect(encyclopedia.pages).toHaveLength(size);
    expect(new Set(encyclopedia.pages.map(({ title }) => title)).size).toBe(size);
    for (const kind of entityKinds) {
      expect(encyclopedia.pages.filter((page) => page.kind === kind)).toHaveLength(counts[kind]);
    }
  });

  it('states two or three facts of the split on a page', () => {
    for (const { title, facts, sentences } of encyclopedia.pages) {
      expect([2, 3]).toContain(facts.length);
      expect(factsIn(sentences.join(' '))).toEqual(facts);
      for (const fact of facts) {
        expect(fact.subject).toBe(title);
        expect(isFactOnSide(split, fact)).toBe(true);
      }
    }
  });

  it('has a page for every town, person and river that a page names', () => {
    for (const { facts } of encyclopedia.pages) {
      for (const { attribute, value } of facts) {
        const kind = attributes[attribute].value;
        if (kind === 'town' || kind === 'person' || kind === 'river') {
          expect(encyclopedia.page(value)?.kind, value).toBe(kind);
        }
      }
    }
  });
});

import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { attributeNames, attributes, attributesOf, nounPhrase } from './attributes.ts';
import { drawFact, drawSubject, isFactOnSide, stateFact, stateFactAgain } from './facts.ts';
import { drawName } from './names.ts';
import { fill } from './phrasing.ts';
import { splits } from './split.ts';
import { factsIn } from './testing/fact-reading.ts';

describe('attributes', () => {
  it('are stated and asked for in several ways, some of them reserved', () => {
    for (const name of attributeNames) {
      const { statements, questions } = attributes[name];
      expect(new Set(statements).size, name).toBeGreaterThanOrEqual(3);
      expect(questions.train.length, name).toBeGreaterThanOrEqual(3);
      expect(questions.heldout.length, name).toBeGreaterThanOrEqual(2);
      for (const statement of statements) expect(fill(statement, { s: '', v: '' }), statement).not.toMatch(/[{}]/);
    }
  });

  it('makes noun phrases that can be nested', () => {
    expect(nounPhrase('mayor', 'Tamova')).toBe('the mayor of Tamova');
    expect(nounPhrase('mouth', 'Balir')).toBe('the mouth of the Balir');
    expect(nounPhrase('mouth', nounPhrase('river', 'Tamova'))).toBe('the mouth of the river of Tamova');
  });
});

describe('drawFact', () => {
  it('draws facts of the split, and none that says something of itself', () => {
    for (const split of splits) {
      const random = Random.seeded(4);
      for (let i = 0; i < 400; i++) {
        const attribute = random.pick(attributeNames);
        const subject = drawName(attributes[attribute].of, split, random);
        const fact = drawFact(subject, attribute, split, random);
        if (fact === undefined) continue;
        expect(isFactOnSide(split, fact)).toBe(true);
        expect(fact).toMatchObject({ subject, attribute });
        expect(fact.value).not.toBe(subject);
      }
    }
  });
});

describe('drawSubject', () => {
  it('has a fact for every attribute, the wanted one first', () => {
    const random = Random.seeded(5);
    for (const first of attributeNames) {
      const facts = drawSubject(first, 'heldout', random);
      expect(facts[0].attribute).toBe(first);
      expect(facts.map(({ attribute }) => attribute).sort()).toEqual(attributesOf(attributes[first].of).sort());
      expect(new Set(facts.map(({ subject }) => subject)).size).toBe(1);
    }
  });
});

describe('stateFact', () => {
  it('says one thing only, which can be read back', () => {
    const random = Random.seeded(6);
    for (const attribute of attributeNames) {
      for (let i = 0; i < 30; i++) {
        const [fact] = drawSubject(attribute, 'train', random);
        expect(factsIn(stateFact(fact, random))).toEqual([fact]);
        expect(factsIn(`${stateFact(fact, random)} ${stateFactAgain(fact)}`)).toEqual([fact, fact]);
      }
    }
  });

  it('finds other words for what has been said', () => {
    const random = Random.seeded(7);
    const [fact] = drawSubject('mayor', 'train', random);
    for (let i = 0; i < 50; i++) {
      const sentence = stateFact(fact, random);
      expect(stateFact(fact, random, sentence)).not.toBe(sentence);
    }
  });
});

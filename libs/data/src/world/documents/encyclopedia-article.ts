/** An article about two to four things of a kind, or of which one names the next; what it says it says twice. */
import type { Random } from '@crucible/foundation';
import type { EntityKind } from '../attributes.ts';
import { attributes, attributesOf, entityKinds } from '../attributes.ts';
import type { Fact } from '../facts.ts';
import { drawFact, stateFact, stateFactAgain } from '../facts.ts';
import { drawName } from '../names.ts';
import { fill } from '../phrasing.ts';
import type { Split } from '../split.ts';
import type { Draw } from '../task.ts';

const introductions: Readonly<Record<EntityKind, string>> = {
  town: '{s} is a town in {country}.',
  person: '{s} is well known in {country}.',
  river: 'The {s} is a river in {country}.',
  building: '{s} is one of the sights of {country}.',
};

interface Subject {
  readonly name: string;
  readonly kind: EntityKind;
}

export function drawEncyclopediaArticle({ split, random, country }: Draw): string {
  const kind = random.pick(entityKinds);
  const subjects: Subject[] = [{ name: drawName(kind, split, random), kind }];
  const paragraph: string[] = [];
  const stated: { fact: Fact; sentence: string }[] = [];
  const count = random.integer(2, 4);
  for (let i = 0; i < count; i++) {
    const subject = subjects[i]!;
    const facts = drawFacts(subject, split, random);
    const sentences = facts.map((fact, j) => {
      return j > 0 && random.boolean(0.4) ? stateFactAgain(fact) : stateFact(fact, random);
    });
    if (random.boolean(0.3)) paragraph.push(fill(introductions[subject.kind], { s: subject.name, country }));
    paragraph.push(...sentences);
    stated.push(...facts.map((fact, j) => ({ fact, sentence: sentences[j]! })));
    subjects.push(nextSubject(subjects, facts, split, random));
  }
  const again = random.shuffled(stated).map(({ fact, sentence }) => stateFact(fact, random, sentence));
  return `${paragraph.join(' ')}\n${again.join(' ')}`;
}

function drawFacts({ name, kind }: Subject, split: Split, random: Random): Fact[] {
  return random
    .sample(attributesOf(kind), random.integer(1, 3))
    .map((attribute) => drawFact(name, attribute, split, random))
    .filter((fact) => fact !== undefined);
}

/** Half the time what the last facts name, if it has attributes; otherwise another of the same kind. */
function nextSubject(subjects: readonly Subject[], facts: readonly Fact[], split: Split, random: Random): Subject {
  const isEntityKind = (kind: string): kind is EntityKind => entityKinds.some((name) => name === kind);
  const named = facts.flatMap(({ attribute, value }): Subject[] => {
    const kind = attributes[attribute].value;
    return isEntityKind(kind) && !subjects.some(({ name }) => name === value) ? [{ name: value, kind }] : [];
  });
  if (named.length > 0 && random.boolean()) return random.pick(named);
  const { kind } = subjects.at(-1)!;
  return { name: drawName(kind, split, random), kind };
}

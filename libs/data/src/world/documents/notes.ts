/** Numbered notes, and under them some of their facts in short, each with the number of its note. */
import type { Random } from '@crucible/foundation';
import { numberedPassages } from '@crucible/prompting';
import { attributesOf, entityKinds, nounPhrase } from '../attributes.ts';
import type { Fact } from '../facts.ts';
import { drawFact, stateFact } from '../facts.ts';
import { drawNames } from '../names.ts';
import { capitalized } from '../phrasing.ts';
import type { Split } from '../split.ts';
import type { Draw } from '../task.ts';

export function drawNotes({ split, random }: Draw): string {
  const facts = random.sample(drawRelatedFacts(split, random), random.integer(2, 6));
  const notes = numberedPassages(facts.map((fact) => stateFact(fact, random)));
  const references = facts.map(({ subject, attribute, value }, i) => {
    return `${capitalized(nounPhrase(attribute, subject))}: ${value} [${i + 1}]`;
  });
  return `${notes}\n${random.shuffled(references).join('\n')}`;
}

/** The same few attributes of several things of a kind. */
function drawRelatedFacts(split: Split, random: Random): Fact[] {
  for (;;) {
    const kind = random.pick(entityKinds);
    const chosen = random.sample(attributesOf(kind), random.integer(2, 3));
    const facts = drawNames(kind, random.integer(2, 3), split, random)
      .flatMap((subject) => chosen.map((attribute) => drawFact(subject, attribute, split, random)))
      .filter((fact) => fact !== undefined);
    if (facts.length >= 2) return facts;
  }
}

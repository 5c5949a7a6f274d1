/** A question about one fact of one page of an encyclopedia, and what else is read with that page. */
import type { Random } from '@crucible/foundation';
import type { Attribute, AttributeName } from './attributes.ts';
import { attributes, attributesOf } from './attributes.ts';
import type { Encyclopedia, Page } from './encyclopedia.ts';
import type { Fact } from './facts.ts';
import { fill, pickPhrasing } from './phrasing.ts';
import type { Split } from './split.ts';

export interface PageQuestion {
  readonly page: Page;
  readonly question: string;
  readonly phrasing: string;
  readonly attribute: AttributeName;
  /** Undefined where the page does not say. */
  readonly fact: Fact | undefined;
}

/** `isAnswerable`: whether the page holds the answer. */
export function drawPageQuestion(
  encyclopedia: Encyclopedia,
  { isAnswerable, split, random }: { readonly isAnswerable: boolean; readonly split: Split; readonly random: Random },
): PageQuestion {
  for (;;) {
    const page = random.pick(encyclopedia.pages);
    const told = page.facts.map(({ attribute }) => attribute);
    const asked = isAnswerable ? told : attributesOf(page.kind).filter((name) => !told.includes(name));
    if (asked.length === 0) continue;
    const attribute = random.pick(asked);
    const { questions }: Attribute = attributes[attribute];
    const phrasing = pickPhrasing(questions, split, random);
    const fact = page.facts.find((each) => each.attribute === attribute);
    // Who is named in a question is not its answer.
    if (fact?.value === page.title) continue;
    return { page, question: fill(phrasing, { s: page.title }), phrasing, attribute, fact };
  }
}

/** A page that a search for the words of a question may find beside the right one: it names the same, or is of the same kind. */
export function drawNeighbour(encyclopedia: Encyclopedia, page: Page, random: Random): Page {
  const others = encyclopedia.pages.filter((other) => other !== page);
  const naming = others.filter(({ facts }) => facts.some(({ value }) => value === page.title));
  return random.pick(naming.length > 0 && random.boolean() ? naming : others.filter(({ kind }) => kind === page.kind));
}

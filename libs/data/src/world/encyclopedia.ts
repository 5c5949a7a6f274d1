/** The store of pages about the country: what is searched step by step, or retrieved from. One for every split. */
import type { Random } from '@crucible/foundation';
import type { AttributeName, EntityKind, ValueKind } from './attributes.ts';
import { attributes, attributesOf, entityKinds } from './attributes.ts';
import { PageReader } from './page-reader.ts';
import type { Fact } from './facts.ts';
import { drawFact, factFrom, stateFact, stateFactAgain } from './facts.ts';
import { drawNames } from './names.ts';
import type { Split } from './split.ts';

export interface Page {
  /** The name of what the page is about. */
  readonly title: string;
  readonly kind: EntityKind;
  readonly facts: readonly Fact[];
  /** One a fact, in their order. */
  readonly sentences: readonly string[];
}

/** How many pages there are of every kind. */
export const pageCounts: PageCounts = { town: 60, person: 120, river: 40, building: 60 };

/** As many as a question needs to be walked to. */
export const smallPageCounts: PageCounts = { town: 6, person: 12, river: 4, building: 6 };

type PageCounts = Readonly<Record<EntityKind, number>>;

export class Encyclopedia {
  readonly pages: readonly Page[];
  readonly #pages: ReadonlyMap<string, Page>;

  constructor(pages: readonly Page[]) {
    this.pages = pages;
    this.#pages = new Map(pages.map((page) => [page.title, page]));
  }

  page(title: string): Page | undefined {
    return this.#pages.get(title);
  }

  /** Begins a search: nobody has looked anything up yet. */
  open(): PageReader {
    return new PageReader(this.pages);
  }
}

/** Pages whose facts may be used in `split`; towns, people and rivers that they name have pages too. */
export function createEncyclopedia(split: Split, random: Random, counts: PageCounts = pageCounts): Encyclopedia {
  const titles = Object.fromEntries(
    entityKinds.map((kind) => [kind, drawNames(kind, counts[kind], split, random)]),
  ) as Record<EntityKind, string[]>;
  const knownValues: Partial<Record<ValueKind, readonly string[]>> = titles;
  const drawKnownFact = (subject: string, attribute: AttributeName): Fact | undefined => {
    const values = knownValues[attributes[attribute].value];
    return values === undefined
      ? drawFact(subject, attribute, split, random)
      : factFrom(subject, attribute, split, random, values);
  };
  const drawPage = (title: string, kind: EntityKind): Page => {
    const count = random.integer(2, 3);
    const facts = random
      .shuffled(attributesOf(kind))
      .map((attribute) => drawKnownFact(title, attribute))
      .filter((fact) => fact !== undefined)
      .slice(0, count);
    return {
      title,
      kind,
      facts,
      sentences: facts.map((fact, i) => (i === 0 ? stateFact(fact, random) : stateFactAgain(fact))),
    };
  };
  return new Encyclopedia(entityKinds.flatMap((kind) => titles[kind].map((title) => drawPage(title, kind))));
}

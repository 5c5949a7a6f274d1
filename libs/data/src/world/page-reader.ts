/**
 * The environment of ReAct (Yao et al., 2022): search shows the first sentences of a page, lookup goes through the
 * sentences of that page that hold a word. Theirs is Wikipedia; like theirs it answers in plain text.
 */
import type { Page } from './encyclopedia.ts';

/** Sentences that a search shows. */
const shownSentences = 5;

/** Titles that are offered where a page is missing. */
const similarTitles = 5;

const noMoreResults = 'No more results.';

export class PageReader {
  readonly #pages: readonly Page[];
  #page: Page | undefined;
  #keyword = '';
  #nextResult = 0;

  constructor(pages: readonly Page[]) {
    this.#pages = pages;
  }

  /** The first sentences of the page of that title (case does not matter), or the most similar titles. */
  search(title: string): string {
    const wanted = title.trim().toLowerCase();
    this.#keyword = '';
    this.#nextResult = 0;
    this.#page = this.#pages.find((page) => page.title.toLowerCase() === wanted);
    if (this.#page !== undefined) return this.#page.sentences.slice(0, shownSentences).join(' ');
    return `Could not find ${title}. Similar: [${this.#similarTo(wanted).join(', ')}].`;
  }

  /** The next sentence of the current page that holds `keyword`; another keyword begins from the top. */
  lookup(keyword: string): string {
    if (keyword !== this.#keyword) this.#nextResult = 0;
    this.#keyword = keyword;
    const wanted = keyword.toLowerCase();
    const results = this.#page?.sentences.filter((sentence) => sentence.toLowerCase().includes(wanted)) ?? [];
    const result = results[this.#nextResult];
    if (result === undefined) return noMoreResults;
    this.#nextResult++;
    return `(Result ${this.#nextResult} / ${results.length}) ${result}`;
  }

  #similarTo(wanted: string): string[] {
    const similarities = this.#pages.map(({ title }) => ({
      title,
      similarity: similarity(wanted, title.toLowerCase()),
    }));
    similarities.sort((a, b) => b.similarity - a.similarity || (a.title < b.title ? -1 : 1));
    return similarities.slice(0, similarTitles).map(({ title }) => title);
  }
}

/** Dice's coefficient of the pairs of neighbouring characters; the beginning of a text counts as a character. */
function similarity(a: string, b: string): number {
  const pairsOfA = pairs(a);
  const pairsOfB = pairs(b);
  return (2 * pairsOfA.intersection(pairsOfB).size) / (pairsOfA.size + pairsOfB.size);
}

function pairs(text: string): Set<string> {
  const framed = ` ${text} `;
  return new Set(Array.from({ length: framed.length - 1 }, (_, i) => framed.slice(i, i + 2)));
}

/** BM25 (Robertson and Zaragoza, 2009, with the idf of Lucene, which is never negative) over texts in memory. */

export interface Hit {
  /** Of the text, in the order they were given. */
  readonly index: number;
  readonly score: number;
}

const k1 = 1.2;
const b = 0.75;

export class LexicalIndex {
  readonly #postings = new Map<string, { readonly index: number; readonly count: number }[]>();
  readonly #lengths: number[] = [];
  #averageLength = 0;

  constructor(texts: readonly string[]) {
    for (const [index, text] of texts.entries()) {
      const terms = termsOf(text);
      this.#lengths.push(terms.length);
      const counts = new Map<string, number>();
      for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
      for (const [term, count] of counts) {
        const postings = this.#postings.get(term);
        if (postings) postings.push({ index, count });
        else this.#postings.set(term, [{ index, count }]);
      }
    }
    this.#averageLength = this.#lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, texts.length);
  }

  /** Texts that share a term with the query, best first; of equal ones the earlier first. `allowed`: all, by default. */
  search(query: string, limit: number, allowed: (index: number) => boolean = () => true): Hit[] {
    const scores = new Map<number, number>();
    for (const term of new Set(termsOf(query))) {
      const postings = this.#postings.get(term) ?? [];
      const idf = Math.log(1 + (this.#lengths.length - postings.length + 0.5) / (postings.length + 0.5));
      for (const { index, count } of postings) {
        if (!allowed(index)) continue;
        const norm = k1 * (1 - b + (b * this.#lengths[index]!) / this.#averageLength);
        scores.set(index, (scores.get(index) ?? 0) + (idf * count * (k1 + 1)) / (count + norm));
      }
    }
    return Array.from(scores, ([index, score]) => ({ index, score }))
      .sort((one, other) => other.score - one.score || one.index - other.index)
      .slice(0, limit);
  }
}

/** Words and numbers of any script, in lower case and without accents. */
export function termsOf(text: string): string[] {
  return (
    text
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

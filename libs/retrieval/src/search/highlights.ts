/** Where the words of a query are in a text. */
import { analyze, type Term } from './analyze.ts';

export interface Span {
  /** UTF-16 code units. */
  readonly start: number;
  readonly end: number;
}

/** The places of the terms, those that touch joined. */
export function highlights(text: string, terms: ReadonlyMap<string, number>): Span[] {
  const spans: { start: number; end: number }[] = [];
  for (const { term, start, end } of analyze(text).sort((a, b) => a.start - b.start)) {
    if (!terms.has(term)) continue;
    const last = spans.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else spans.push({ start, end });
  }
  return spans;
}

/** Whether the words of the phrase are in the text, one after the other. */
export function hasPhrase(text: string, phrase: string): boolean {
  const wanted = sequence(phrase);
  if (wanted.length === 0) return true;
  const terms = sequence(text);
  return terms.some((_term, i) => wanted.every((word, j) => terms[i + j] === word));
}

/** Terms in their order; of scripts without spaces the characters alone. */
function sequence(text: string): string[] {
  const all = analyze(text);
  const isPair = ({ start, end }: Term, next: Term | undefined): boolean =>
    next !== undefined && next.start > start && next.start < end;
  return all
    .sort((a, b) => a.start - b.start || b.end - a.end)
    .filter((term, i) => !(all[i + 1]?.start === term.start && all[i + 1]!.end < term.end) && !isPair(term, all[i + 1]))
    .map(({ term }) => term);
}

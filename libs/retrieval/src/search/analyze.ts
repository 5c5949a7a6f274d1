/**
 * Text as terms, for English and Chinese (and whatever else is written with or without spaces): what is searched, what is
 * embedded and what is highlighted go by the same terms.
 *
 * Words are folded (NFKC, lower case, no diacritics) and stemmed (Porter 1980). Scripts that put no spaces between words
 * give every character and every pair of neighbours: 中国人 is 中, 中国, 国, 国人, 人.
 */
import { stemmer } from 'stemmer';

/** A term and the characters (UTF-16 code units) it comes from. */
export interface Term {
  readonly term: string;
  readonly start: number;
  readonly end: number;
}

const unspaced =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}';
const runs = new RegExp(
  `([${unspaced}][${unspaced}\\p{M}]*)|(?:(?![${unspaced}])[\\p{L}\\p{N}])(?:(?![${unspaced}])[\\p{L}\\p{M}\\p{N}]|['’](?=\\p{L}))*`,
  'gu',
);
// eslint-disable-next-line no-control-regex -- the range is ASCII
const ascii = /^[\x00-\x7f]*$/;

/** English words that say little about what a text is about; they count only in queries that have nothing else. */
const stopWords = new Set(
  (
    'a about after all also am an and any are as at be been but by can could did do does for from had has have he her ' +
    'him his how i if in into is it its me my no nor not of on or our she should so some such than that the their them ' +
    'then there these they this those to was we were what when where which who whom whose why will with would you your'
  ).split(' '),
);

/** Words that were folded and stemmed before; emptied when it is full. */
const known = new Map<string, string>();
const mostKnown = 200_000;
/** Longer words are no words (base64, URLs): they are cut, so that they fill no index. */
const longestWord = 64;

export function analyze(text: string): Term[] {
  const terms: Term[] = [];
  for (const match of text.matchAll(runs)) {
    const [word, run] = match;
    const start = match.index;
    if (run === undefined) {
      const term = termOf(word);
      if (term !== '') terms.push({ term, start, end: start + word.length });
    } else addPairs(terms, run, start);
  }
  return terms;
}

/** The terms alone, for indexing. */
export function termsOf(text: string): string[] {
  return analyze(text).map(({ term }) => term);
}

/** The terms of a query with how often each counts; stop words are left out unless there is nothing else. */
export function queryTerms(query: string): Map<string, number> {
  const all = analyze(query);
  const telling = all.filter(({ start, end }) => !stopWords.has(query.slice(start, end).toLowerCase()));
  const counts = new Map<string, number>();
  for (const { term } of telling.length > 0 ? telling : all) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

const pairs = new RegExp(`^[${unspaced}]\\p{M}*[${unspaced}]`, 'u');

/** Whether a term is two neighbours of a script without spaces, which need not be a word. */
export function isPair(term: string): boolean {
  return pairs.test(term);
}

function addPairs(terms: Term[], run: string, start: number): void {
  let previous: Term | undefined;
  let at = start;
  for (const character of run) {
    const end = at + character.length;
    const term = ascii.test(character) ? character : character.normalize('NFKC');
    if (previous) terms.push({ term: previous.term + term, start: previous.start, end });
    previous = { term, start: at, end };
    terms.push(previous);
    at = end;
  }
}

function termOf(word: string): string {
  let term = known.get(word);
  if (term === undefined) {
    term = fold(word);
    if (known.size >= mostKnown) known.clear();
    known.set(word, term);
  }
  return term;
}

function fold(word: string): string {
  let folded = word.slice(0, longestWord).toLowerCase();
  if (!ascii.test(folded)) {
    folded = folded.normalize('NFKD').replaceAll(/\p{M}/gu, '').replaceAll('’', "'").normalize('NFKC').toLowerCase();
  }
  folded = folded.replace(/'s$/, '').replaceAll("'", '');
  return /^[a-z]+$/.test(folded) ? stemmer(folded) : folded;
}

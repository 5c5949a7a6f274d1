/** What is common to all expectations: how a response is cut up, and what is found in it. */

/** What was found in a response, before it is graded. */
export interface Reading {
  /** Whether it gives the right answer, another one (also when it gives several that differ), or none at all. */
  readonly claim: 'right' | 'wrong' | 'none';
  /** It says more than the answer and the working that belongs to it. */
  readonly excess: boolean;
  /** What a right answer is without, although it was asked for. */
  readonly lacks?: 'citation' | 'working';
}

/** The answers that one sentence of a response gives. */
export interface Claim {
  readonly values: readonly string[];
  /** Nothing is said but the answer, as in "85" or "The answer is 85." */
  readonly bare: boolean;
}

/** Sums up the sentences of a response; those that claim nothing are undefined. */
export function readingOf(claims: readonly (Claim | undefined)[], isRight: (value: string) => boolean): Reading {
  const values = claims.flatMap((claim) => claim?.values ?? []);
  const excess = claims.length > 1 || claims.some((claim) => claim?.bare === false);
  if (values.length === 0) return { claim: 'none', excess };
  return { claim: values.every(isRight) ? 'right' : 'wrong', excess };
}

/** The lines of a text, and the sentences of every line. */
export function sentencesOf(text: string): string[] {
  return text
    .split(/\n+|(?<=[.!?])\s+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '');
}

const leadIn =
  /^(?:(?:so|then|therefore|thus),? )*(?:(?:the|my) (?:final )?(?:answer|result|sum|difference|product|total|label|topic|sentiment|type|kind)(?: is|:| =)|(?:it|that|this) (?:is|makes)|answer:|label:)?:? */i;

/** A sentence without lead-in ("The answer is"), quotation marks and the full stop. */
export function bareSentence(sentence: string): string {
  return sentence
    .replace(/[.!]+$/, '')
    .replace(leadIn, '')
    .replace(/^(["'])(.*)\1$/, '$2')
    .trim();
}

/** Words in lower case; digits and brackets are no words. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/\p{L}+(?:'\p{L}+)?/gu) ?? [];
}

const commonWords = new Set(
  wordsOf(
    'the a an is are was were it its that this there here so then of to in on at by for with and answer result equals',
  ),
);

/**
 * Whether a sentence is about the question and nothing else: of words that the question has, or common ones, and
 * denying nothing. What else holds the right answer holds it by chance.
 */
export function isOnTopic(sentence: string, questionWords: ReadonlySet<string>): boolean {
  const words = wordsOf(sentence);
  return (
    !words.some((word) => /^(?:not|no|never|nor|neither|cannot)$|n't$/.test(word)) &&
    words.every((word) => commonWords.has(word) || questionWords.has(word))
  );
}

/** Lower case, without punctuation, single spaces; the letters and digits of any script stay. */
export function normalized(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** Whether `phrase` occurs in `text` as whole words; case and punctuation do not matter. */
export function mentions(text: string, phrase: string): boolean {
  return ` ${normalized(text)} `.includes(` ${normalized(phrase)} `);
}

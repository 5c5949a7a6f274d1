/** An exact text. */
import type { Random } from '@crucible/foundation';
import type { Reading } from './reading.ts';
import { sentencesOf, wordsOf } from './reading.ts';

export interface TextExpectation {
  readonly kind: 'text';
  readonly answer: string;
  /** Near misses. */
  readonly others: readonly string[];
}

export function readText({ answer }: TextExpectation, response: string, questionWords: ReadonlySet<string>): Reading {
  if (exact(response) === exact(answer)) return { claim: 'right', excess: false };
  const sentences = sentencesOf(response).map(exact);
  const rest = sentences.filter((sentence) => sentence !== exact(answer) && !sentence.endsWith(`: ${exact(answer)}`));
  // What is made of the words of the question is another answer to it.
  const isOtherAnswer = (sentence: string): boolean => wordsOf(sentence).every((word) => questionWords.has(word));
  const isFound = rest.length < sentences.length;
  const claim = !isFound ? 'none' : rest.some(isOtherAnswer) ? 'wrong' : 'right';
  return { claim, excess: sentences.length > 1 || isFound };
}

export function wrongText(expected: TextExpectation, random: Random): string {
  return random.pick(expected.others);
}

/** Case counts; white space, quotation marks around it and a full stop at the end do not. */
function exact(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')
    .replace(/\.$/, '');
}

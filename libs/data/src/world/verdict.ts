/** The verifier: judges any text as a response to an example, exactly and without a model. */
import type { Example } from './example.ts';
import { readResponse } from './expectations/expectation.ts';
import { workedNumber } from './expectations/number.ts';
import { wordsOf } from './expectations/reading.ts';
import { isRefusal } from './expectations/refusal.ts';

export const verdictReasons = [
  /** Right and to the point. */
  'right',
  /** Right, with needless sentences or repetition, or with working that is wrong. */
  'rambling',
  /** Right, but the passage is not cited. */
  'uncited',
  /** Right, but the steps or the thought are missing that were asked for. */
  'unworked',
  /** Broken off. */
  'unfinished',
  /** Declines to answer where there is an answer. */
  'refusing',
  'wrong',
  /** White space at most. */
  'empty',
] as const;

export type VerdictReason = (typeof verdictReasons)[number];

export interface Verdict {
  /** The response is finished and its answer is right. */
  readonly correct: boolean;
  /** One of `scores`. */
  readonly score: number;
  readonly reason: VerdictReason;
}

export const scores = {
  right: 1,
  /** Right, but rambling, uncited or unworked. */
  flawed: 0.6,
  /** Broken off, with nothing wrong so far. */
  unfinished: 0.3,
  refusing: 0.2,
  wrong: 0.1,
  /** Wrong and rambling, wrong and broken off, or empty. */
  worthless: 0,
} as const;

export interface VerifyOptions {
  /** Whether the response came to its end, rather than to a limit of length. */
  readonly finished: boolean;
}

export function verify(example: Example, response: string, { finished }: VerifyOptions): Verdict {
  const text = response.trim();
  if (text === '') return { correct: false, score: scores.worthless, reason: 'empty' };
  const questionWords = new Set(example.messages.flatMap(({ content }) => wordsOf(content)));
  const { claim, excess, lacks } = readResponse(example.expected, text, questionWords);
  if (!finished) {
    const promising = claim === 'right' || idealResponses(example).some((ideal) => ideal.startsWith(text));
    return { correct: false, score: promising ? scores.unfinished : scores.worthless, reason: 'unfinished' };
  }
  if (claim === 'right') {
    if (lacks !== undefined) {
      return { correct: true, score: scores.flawed, reason: lacks === 'citation' ? 'uncited' : 'unworked' };
    }
    return excess
      ? { correct: true, score: scores.flawed, reason: 'rambling' }
      : { correct: true, score: scores.right, reason: 'right' };
  }
  if (claim === 'none' && isRefusal(text)) return { correct: false, score: scores.refusing, reason: 'refusing' };
  return { correct: false, score: excess ? scores.worthless : scores.wrong, reason: 'wrong' };
}

/** The ideal response, and the worked one where the question leaves it open. */
export function idealResponses({ response, expected }: Example): string[] {
  const worked = expected.kind === 'number' ? workedNumber(expected) : undefined;
  return worked === undefined || worked === response ? [response] : [response, worked];
}

/** One of several replies of small talk. */
import type { Random } from '@crucible/foundation';
import type { Reading } from './reading.ts';
import { mentions, normalized, sentencesOf } from './reading.ts';

export interface ReplyExpectation {
  readonly kind: 'reply';
  readonly accepted: readonly string[];
  /** Replies to something else. */
  readonly others: readonly string[];
}

export function readReply({ accepted, others }: ReplyExpectation, response: string): Reading {
  const isOneOf = (replies: readonly string[]): boolean => replies.map(normalized).includes(normalized(response));
  if (isOneOf(accepted)) return { claim: 'right', excess: false };
  if (isOneOf(others)) return { claim: 'wrong', excess: false };
  const isFound = accepted.some((reply) => mentions(response, reply));
  const claim = others.some((reply) => mentions(response, reply)) ? 'wrong' : isFound ? 'right' : 'none';
  return { claim, excess: isFound || sentencesOf(response).length > 1 };
}

export function wrongReply(expected: ReplyExpectation, random: Random): string {
  return random.pick(expected.others);
}

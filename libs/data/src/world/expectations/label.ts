/** One word out of several. */
import type { Random } from '@crucible/foundation';
import type { Claim, Reading } from './reading.ts';
import { bareSentence, isOnTopic, mentions, readingOf, sentencesOf } from './reading.ts';

export interface LabelExpectation {
  readonly kind: 'label';
  readonly label: string;
  readonly labels: readonly string[];
}

export function readLabel(expected: LabelExpectation, response: string, questionWords: ReadonlySet<string>): Reading {
  const claims = sentencesOf(response).map((sentence) => labelClaim(sentence, expected.labels, questionWords));
  return readingOf(claims, (value) => value === expected.label);
}

export function wrongLabel(expected: LabelExpectation, random: Random): string {
  return random.pick(expected.labels.filter((label) => label !== expected.label));
}

function labelClaim(
  sentence: string,
  labels: readonly string[],
  questionWords: ReadonlySet<string>,
): Claim | undefined {
  const bare = bareSentence(sentence).toLowerCase();
  if (labels.includes(bare)) return { values: [bare], bare: true };
  const values = labels.filter((label) => mentions(sentence, label));
  return values.length > 0 && isOnTopic(sentence, questionWords) ? { values, bare: false } : undefined;
}

/** A short answer out of passages, with the number of the passage; or that the passages do not say. */
import type { Random } from '@crucible/foundation';
import type { Claim, Reading } from './reading.ts';
import { bareSentence, isOnTopic, mentions, normalized, readingOf, sentencesOf } from './reading.ts';
import { notSaid, saysNotSaid } from './refusal.ts';

export interface PassageExpectation {
  readonly kind: 'passage';
  /** Null where the passages do not hold the answer. */
  readonly answer: CitedValue | null;
  /** What the other passages say; none of it is the answer or the subject of the question. */
  readonly others: readonly CitedValue[];
  /** Whether passages are numbered and are to be cited. */
  readonly cited: boolean;
}

export interface CitedValue {
  readonly value: string;
  /** Counted from 1. */
  readonly passage: number;
}

export function readPassage(
  expected: PassageExpectation,
  response: string,
  questionWords: ReadonlySet<string>,
): Reading {
  const { answer, others } = expected;
  const sentences = sentencesOf(response);
  if (answer === null) {
    const claims = sentences.map((sentence) =>
      saysNotSaid(sentence) ? { values: [''], bare: true } : passageClaim(sentence, others, questionWords),
    );
    return readingOf(claims, (value) => value === '');
  }
  const known = [answer, ...others];
  const claims = sentences.map((sentence) => passageClaim(sentence, known, questionWords));
  const reading = readingOf(claims, (value) => value === answer.value);
  if (reading.claim !== 'right') return reading;
  const citations = citationsIn(response);
  if (!expected.cited) return { claim: 'right', excess: reading.excess || citations.length > 0 };
  if (citations.length === 0) return { ...reading, lacks: 'citation' };
  return citations.every((citation) => citation === answer.passage) ? reading : { ...reading, claim: 'wrong' };
}

export function passageAnswer({ answer, cited }: PassageExpectation): string {
  return answer === null ? notSaid[cited ? 'passages' : 'text'] : citedText(answer, cited);
}

export function wrongPassage({ answer, others, cited }: PassageExpectation, random: Random): string {
  const elsewhere = others.filter(({ passage }) => passage !== answer?.passage);
  if (answer !== null && cited && elsewhere.length > 0 && random.boolean(0.25))
    return citedText({ value: answer.value, passage: random.pick(elsewhere).passage }, cited);
  return citedText(random.pick(others), cited);
}

function citedText({ value, passage }: CitedValue, cited: boolean): string {
  return cited ? `${value} [${passage}]` : value;
}

function passageClaim(
  sentence: string,
  known: readonly CitedValue[],
  questionWords: ReadonlySet<string>,
): Claim | undefined {
  const uncited = sentence.replace(/ ?\[\d+\]/g, '');
  const bare = normalized(bareSentence(uncited));
  const same = known.find(({ value }) => normalized(value) === bare);
  if (same !== undefined) return { values: [same.value], bare: true };
  const values = known.filter(({ value }) => mentions(uncited, value)).map(({ value }) => value);
  return values.length > 0 && isOnTopic(uncited, questionWords) ? { values, bare: false } : undefined;
}

function citationsIn(response: string): number[] {
  return Array.from(response.matchAll(/\[(\d+)\]/g), ([, number]) => Number(number));
}

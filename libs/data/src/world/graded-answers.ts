/** Answers of known quality: what a reward model compares, and what an uneven crowd of people would have written. */
import type { Random } from '@crucible/foundation';
import type { Example } from './example.ts';
import { wrongResponse } from './expectations/expectation.ts';
import { refusals } from './expectations/refusal.ts';
import { pickWeighted } from './pick-weighted.ts';
import { idealResponses, scores } from './verdict.ts';

export const answerKinds = ['right', 'worked', 'rambling', 'wrong', 'refusing', 'truncated'] as const;

export type AnswerKind = (typeof answerKinds)[number];

export interface GradedAnswer {
  readonly text: string;
  /** What `verify` gives it, too. */
  readonly score: number;
  readonly kind: AnswerKind;
  /** False for what is truncated. */
  readonly finished: boolean;
}

/** How often people write what; a kind that an example does not have counts as right. */
export type DemonstrationMix = Readonly<Record<Exclude<AnswerKind, 'truncated'>, number>>;

export const demonstrationMix: DemonstrationMix = {
  right: 0.13,
  worked: 0.04,
  rambling: 0.74,
  wrong: 0.04,
  refusing: 0.05,
};

export interface Demonstration {
  readonly text: string;
  readonly kind: keyof DemonstrationMix;
}

/** One answer of every kind that the example has; `worked` is for sums whose steps were not asked for. */
export function gradedAnswers(example: Example, random: Random): GradedAnswer[] {
  return answerKinds.flatMap((kind) => {
    const text = answerOfKind(example, kind, random);
    return text === undefined ? [] : [{ text, kind, score: scoreOfKind[kind], finished: kind !== 'truncated' }];
  });
}

export function demonstration(example: Example, random: Random, mix: DemonstrationMix): Demonstration {
  const kind = pickWeighted(mix, random);
  const text = answerOfKind(example, kind, random);
  return text === undefined ? { text: example.response, kind: 'right' } : { text, kind };
}

const scoreOfKind: Readonly<Record<AnswerKind, number>> = {
  right: scores.right,
  worked: scores.right,
  rambling: scores.flawed,
  wrong: scores.wrong,
  refusing: scores.refusing,
  truncated: scores.unfinished,
};

function answerOfKind(example: Example, kind: AnswerKind, random: Random): string | undefined {
  const { response, expected } = example;
  switch (kind) {
    case 'right':
      return response;
    case 'worked':
      return idealResponses(example)[1];
    case 'rambling':
      return rambling(response, random);
    case 'wrong':
      return wrongResponse(expected, response, random);
    case 'refusing':
      return random.pick(refusals);
    case 'truncated':
      return truncated(response, random);
  }
}

/** Sentences that say nothing. No word of theirs is a label of any task. */
const openings = ['Thank you for asking.', 'Let me see.', 'This is what I found.', 'I looked at it with care.'];
const closings = [
  'I hope this helps.',
  'Please ask me again if you want to know more.',
  'There is much more to say about this.',
  'I am always here for you.',
];

function rambling(text: string, random: Random): string {
  const isOneLine = !text.includes('\n');
  // A sentence goes on in the same line; what is not a sentence gets a line of its own.
  const joint = isOneLine && /[.!?]$/.test(text) ? ' ' : '\n';
  if (isOneLine && random.boolean(0.25))
    return [text, text, ...random.sample(closings, random.integer(0, 1))].join(joint);
  const before = random.boolean(0.2) ? [random.pick(openings)] : [];
  const after = random.sample(closings, random.integer(before.length === 0 ? 1 : 0, 1));
  return [...before, text, ...after].join(joint);
}

/** A long answer breaks off in the middle; a short one in the needless sentence after it. */
function truncated(text: string, random: Random): string {
  if (text.length >= 24) return text.slice(0, Math.floor(text.length * (0.4 + 0.4 * random.uniform()))).trimEnd();
  const closing = random.pick(closings);
  return `${text}\n${closing.slice(0, random.integer(4, closing.length - 2)).trimEnd()}`;
}

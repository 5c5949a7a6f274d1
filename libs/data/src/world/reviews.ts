/**
 * Opinions in a sentence or two, with negation and contrast. What counts is the main clause: the one after "but", and
 * not the one after "although". So neither the words alone nor their order decide.
 */
import type { Random } from '@crucible/foundation';
import { drawName } from './names.ts';
import { capitalized } from './phrasing.ts';
import type { Split } from './split.ts';
import { drawOnSide } from './split.ts';

export interface Review {
  readonly text: string;
  readonly isPositive: boolean;
}

interface Domain {
  readonly subjects: readonly string[];
  readonly positive: readonly string[];
  readonly negative: readonly string[];
}

const domains: readonly Domain[] = [
  {
    subjects: ['soup', 'bread', 'stew', 'pie', 'cake', 'cheese', 'fish'],
    positive: ['tasty', 'fresh', 'delicious', 'rich'],
    negative: ['stale', 'bitter', 'burnt', 'sour'],
  },
  {
    subjects: ['room', 'inn', 'garden', 'house', 'bed', 'hall', 'street'],
    positive: ['clean', 'bright', 'pretty', 'cosy'],
    negative: ['dirty', 'noisy', 'damp', 'ugly'],
  },
  {
    subjects: ['guide', 'cook', 'host', 'driver', 'waiter', 'teacher', 'doctor'],
    positive: ['kind', 'polite', 'helpful', 'careful'],
    negative: ['rude', 'lazy', 'careless', 'cruel'],
  },
  {
    subjects: ['play', 'film', 'story', 'concert', 'dance', 'book', 'show'],
    positive: ['exciting', 'clever', 'funny', 'beautiful'],
    negative: ['boring', 'dull', 'silly', 'tiresome'],
  },
];

/** They go with everything. */
const anyPositive = ['wonderful', 'excellent', 'great', 'lovely'];
const anyNegative = ['terrible', 'awful', 'poor', 'horrible'];

const degrees = ['', '', 'very ', 'really ', 'quite '];

const denials = ['not', 'not', 'never', 'not at all', 'far from'];

const positiveVerbs = ['loved', 'enjoyed', 'admired'];
const negativeVerbs = ['hated', 'disliked', 'regretted'];

/** A review that may be met in `split`; what opens it does not count. */
export function drawReview(split: Split, random: Random): Review {
  const isPositive = random.boolean();
  const sentence = drawOnSide(
    split,
    () => drawSentence(isPositive, random),
    (text) => `review ${text}`,
  );
  const opening = random.boolean(0.3) ? drawOpening(split, random) : '';
  return { text: opening + sentence, isPositive };
}

function drawSentence(isPositive: boolean, random: Random): string {
  const main = clause(isPositive, random);
  if (random.boolean(0.6)) return `${capitalized(main)}.`;
  const aside = clause(!isPositive, random);
  const sentence = random.pick([
    `${aside}, but ${main}`,
    `${main}, although ${aside}`,
    `although ${aside}, ${main}`,
    `${aside}, and yet ${main}`,
  ]);
  return `${capitalized(sentence)}.`;
}

function drawOpening(split: Split, random: Random): string {
  const town = drawName('town', split, random);
  return random.pick([`We came to ${town} on foot. `, `I was in ${town}. `, `We spent a day in ${town}. `]);
}

/** A clause that says something positive or negative, one time in five by denying the opposite. */
function clause(isPositive: boolean, random: Random): string {
  const { subjects, positive, negative } = random.pick(domains);
  const subject = `the ${random.pick(subjects)}`;
  const isDenied = random.boolean(0.2);
  const saysPositive = isPositive !== isDenied;
  if (random.boolean(0.25)) {
    const verb = random.pick(saysPositive ? positiveVerbs : negativeVerbs);
    return isDenied ? `nobody ${verb} ${subject}` : `we ${verb} ${subject}`;
  }
  const [own, strong] = saysPositive ? [positive, anyPositive] : [negative, anyNegative];
  const isStrong = random.boolean(0.33);
  const adjective = random.pick(isStrong ? strong : own);
  if (isDenied) return `${subject} was ${random.pick(denials)} ${adjective}`;
  return `${subject} was ${isStrong ? '' : random.pick(degrees)}${adjective}`;
}

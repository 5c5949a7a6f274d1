/** Somebody goes somewhere, finds things well or badly, and is happy or not. */
import { drawFirstName, drawName } from '../names.ts';
import { fill } from '../phrasing.ts';
import { drawReview } from '../reviews.ts';
import type { Draw } from '../task.ts';

const beginnings = [
  '{name} went to {town} with {friend}.',
  'In spring {name} and {friend} came to {town}.',
  '{name} wrote to {friend} from {town}.',
  '{friend} asked {name} how it was in {town}.',
];

const endings = {
  positive: [
    'So {name} was happy.',
    'That made {friend} happy.',
    '{name} wrote a good review.',
    '{friend} called it a positive review.',
    'It was a good day for {name}.',
    'Yes, {friend} liked it.',
  ],
  negative: [
    'So {name} was unhappy.',
    'That made {friend} unhappy.',
    '{name} wrote a bad review.',
    '{friend} called it a negative review.',
    'It was a bad day for {name}.',
    'No, {friend} did not like it.',
  ],
} as const;

export function drawStory({ split, random }: Draw): string {
  const [name, friend] = [drawFirstName(split, random), drawFirstName(split, random)];
  const names = { name, friend, town: drawName('town', split, random) };
  const scenes = Array.from({ length: random.integer(2, 5) }, () => {
    const { text, isPositive } = drawReview(split, random);
    return `${text} ${fill(random.pick(endings[isPositive ? 'positive' : 'negative']), names)}`;
  });
  return [fill(random.pick(beginnings), names), ...scenes].join(' ');
}

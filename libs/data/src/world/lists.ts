/** Lists of words and numbers, and what can be done to them: instructions ask for it, documents tell of it. */
import type { Random } from '@crucible/foundation';
import { drawFirstName } from './names.ts';
import type { Split } from './split.ts';
import { drawOnSide } from './split.ts';
import { allThings } from './things.ts';

/** Different words, sometimes names. */
export function drawWords(split: Split, random: Random, least: number, most: number): string[] {
  return drawListOnSide(split, () => {
    const count = random.integer(least, most);
    if (random.boolean(0.8)) return random.sample(allThings, count);
    return drawDifferent(count, () => drawFirstName(split, random));
  });
}

/** Two to four different numbers from 1 to 99. */
export function drawNumbers(split: Split, random: Random): string[] {
  return drawListOnSide(split, () => drawDifferent(random.integer(2, 4), () => String(random.integer(1, 99))));
}

/** Lists of the same items, in whatever order, are on the same side. */
export function drawListOnSide(split: Split, draw: () => string[]): string[] {
  return drawOnSide(split, draw, (items) => `list ${items.toSorted().join(' ')}`);
}

/** Numbers by value, words by the alphabet. */
export function sorted(items: readonly string[]): string[] {
  return items.toSorted((a, b) => (isNumber(a) && isNumber(b) ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0));
}

/** `a, b, c` */
export function listed(items: readonly string[]): string {
  return items.join(', ');
}

function drawDifferent(count: number, draw: () => string): string[] {
  const items = new Set<string>();
  while (items.size < count) items.add(draw());
  return [...items];
}

function isNumber(item: string): boolean {
  return /^\d+$/.test(item);
}

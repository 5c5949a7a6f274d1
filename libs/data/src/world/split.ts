/**
 * What may occur where. Content (a pair of operands, a fact, a sentence, a list) belongs to one side by its hash,
 * whatever the seed of the world, so that a model trained in one world can be tested in another.
 */
import { hashFraction } from '../hash-text.ts';

/**
 * - train: what models learn from.
 * - heldout: numbers, facts, sentences and phrasings that never occur in train; the names are those of train.
 * - unseen: as heldout, and the names of people and places never occur in train or heldout either.
 */
export const splits = ['train', 'heldout', 'unseen'] as const;

export type Split = (typeof splits)[number];

/** The share of all content that is kept out of train. */
export const heldoutShare = 0.125;

/** Whether `content` may be used in `split`. */
export function isOnSide(split: Split, content: string): boolean {
  return hashFraction(content) < heldoutShare === (split !== 'train');
}

/** Draws until the content of what is drawn may be used in `split`. */
export function drawOnSide<T>(split: Split, draw: () => T, contentOf: (value: T) => string): T {
  for (let tries = 0; tries < 10_000; tries++) {
    const value = draw();
    if (isOnSide(split, contentOf(value))) return value;
  }
  throw new Error(`internal: nothing that was drawn is on the side of ${split}`);
}

/**
 * Whether two operands may be met in `split`, in either order and under any operator. Two single digits always belong
 * to train: they are the tables that everything else is worked out with.
 */
export function isPairOnSide(split: Split, a: number | string, b: number | string): boolean {
  if (isDigit(a) && isDigit(b)) return split === 'train';
  const [x, y] = [String(a), String(b)].sort();
  return isOnSide(split, `pair ${x} ${y}`);
}

function isDigit(operand: number | string): boolean {
  return String(operand).length === 1;
}

/** A list of so many different things of a kind. */
import type { Random } from '@crucible/foundation';
import type { Reading } from './reading.ts';
import { sentencesOf } from './reading.ts';

export interface MembersExpectation {
  readonly kind: 'members';
  readonly count: number;
  /** Everything that may be listed; `count` of them at least. */
  readonly allowed: readonly string[];
  /** What might be listed by mistake. */
  readonly others: readonly string[];
}

export function readMembers({ count, allowed, others }: MembersExpectation, response: string): Reading {
  const known = new Set([...allowed, ...others]);
  const lines = response.split('\n').map((line) => line.replace(/^(?:\d+[.)]|-) +/, ''));
  // As in "Two animals: cat, cow".
  const unintroduced = lines.map((line) => line.replace(/^[^:]*: /, ''));
  const sentences = unintroduced.flatMap(sentencesOf).map(itemsOf);
  const isList = (items: readonly string[]): boolean => items.every((item) => known.has(item));
  const lists = sentences.filter(isList);
  if (lists.length === 0) return { claim: 'none', excess: sentences.length > 1 };
  // One item a line is one list; otherwise every list must do by itself.
  const answers = lists.every((items) => items.length === 1) ? [lists.flat()] : lists;
  const isRight = (items: readonly string[]): boolean =>
    items.length === count && new Set(items).size === count && items.every((item) => allowed.includes(item));
  return {
    claim: answers.every(isRight) ? 'right' : 'wrong',
    excess: answers.length > 1 || lists.length < sentences.length || unintroduced.join() !== lines.join(),
  };
}

/** One too few, one twice, or one that does not belong. */
export function wrongMembers({ count, allowed, others }: MembersExpectation, random: Random): string {
  const items = random.sample(allowed, count);
  const flaws = [
    ...(count > 1 ? [items.slice(1), [...items.slice(1), items[1]!]] : []),
    ...(others.length > 0 ? [[...items.slice(1), random.pick(others)]] : []),
  ];
  return random.pick(flaws).join(', ');
}

function itemsOf(sentence: string): string[] {
  return sentence
    .replace(/[.!]$/, '')
    .split(/, and |, | and /)
    .map((item) => item.trim().toLowerCase());
}

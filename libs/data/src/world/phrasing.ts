/** Templates: texts with slots in braces. Some of every task are reserved, so that train never meets them. */
import type { Random } from '@crucible/foundation';
import type { Split } from './split.ts';

export interface Phrasings {
  readonly train: readonly string[];
  /** For heldout and unseen. */
  readonly heldout: readonly string[];
}

export function pickPhrasing(phrasings: Phrasings, split: Split, random: Random): string {
  return random.pick(split === 'train' ? phrasings.train : phrasings.heldout);
}

/** As pickPhrasing, but outside train only every other template is a reserved one. */
export function pickMixedPhrasing(phrasings: Phrasings, split: Split, random: Random): string {
  return pickPhrasing(phrasings, random.boolean() ? 'train' : split, random);
}

/** Replaces `{slot}` by the value of that name; slots without a value stay. */
export function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (slot, name: string) => String(values[name] ?? slot));
}

/** `a, b and c`; `word` is and or or. */
export function enumerate(items: readonly string[], word: 'and' | 'or'): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1)}`;
}

export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

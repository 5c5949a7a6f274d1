/** Templates: texts with slots in braces. Some of every task are reserved, so that train never meets them. */
import type { Random } from '@crucible/foundation';
import type { Split } from './split.ts';

export interface Phrasings {
  readonly train: readonly string[];
  /** Reserved: for every other draw of heldout, and for all of unseen. */
  readonly heldout: readonly string[];
}

export function pickPhrasing(phrasings: Phrasings, split: Split, random: Random): string {
  const isReserved = split === 'unseen' || (split === 'heldout' && random.boolean());
  return random.pick(isReserved ? phrasings.heldout : phrasings.train);
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

/** Splits records so that the same prompt always lands on the same side, whatever file, order or run. */
import { invalidInput } from '@crucible/foundation';
import type { ChatMessage } from '@crucible/tokenizer';
import { hashFraction } from '../hash-text.ts';

interface Prompted {
  readonly messages: readonly ChatMessage[];
}

/** Whether a record belongs to the held-out `fraction` of all prompts; above 0 and below 1. */
export function isHeldOut({ messages }: Prompted, fraction: number): boolean {
  assertFraction(fraction);
  return hashFraction(`prompt ${JSON.stringify(messages.map(({ role, content }) => [role, content]))}`) < fraction;
}

/** `fraction` of all prompts, about, is held out. */
export function splitByHash<T extends Prompted>(
  records: Iterable<T>,
  fraction: number,
): { readonly train: T[]; readonly heldout: T[] } {
  assertFraction(fraction);
  const { train = [], heldout = [] } = Object.groupBy(records, (record) =>
    isHeldOut(record, fraction) ? 'heldout' : 'train',
  );
  return { train, heldout };
}

function assertFraction(fraction: number): void {
  if (fraction > 0 && fraction < 1) return;
  throw invalidInput(`fraction: ${fraction} is not above 0 and below 1`, { at: 'fraction' });
}

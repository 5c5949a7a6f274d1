import { invalidInput } from '@crucible/foundation';

/** The longest time that a timer of Node can wait: 24.8 days. */
export const maxTimerMs = 2 ** 31 - 1;

/** Throws `invalid-input` unless `value` is a whole number of the range. */
export function assertWholeNumber(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw invalidInput(`${name}: ${value} is not a whole number from ${least} to ${most}`, { at: name });
}

/** Answers that decline to answer. */
import { forgedWords } from '@crucible/prompting';

export const refusals: readonly string[] = [
  'I do not know.',
  'I am sorry, I cannot answer that.',
  'I cannot help with this.',
  'Sorry, I do not know the answer.',
];

/** What is said where passages or a text do not hold the answer. */
export const notSaid = { passages: forgedWords.notSaid, text: 'The text does not say.' } as const;

export function isRefusal(text: string): boolean {
  return (
    /\bI (?:do not|don't|can ?not|can't|am not able to|am unable to)\b/i.test(text) ||
    /^sorry\b/i.test(text) ||
    saysNotSaid(text)
  );
}

/** Whether a sentence says that the passages do not hold the answer. */
export function saysNotSaid(sentence: string): boolean {
  return /^(?:sorry, )?the (?:passages?|texts?) (?:do|does) not (?:say|tell|mention)(?: that| this| it)?[.!]?$/i.test(
    sentence,
  );
}

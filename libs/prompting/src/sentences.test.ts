import { expect, it } from 'vitest';
import { sentencesOf } from './sentences.ts';

it.each<[string, string[]]>([
  ['One. Two! Three?', ['One.', 'Two!', 'Three?']],
  ['Edward D. Wood Jr. was born in 1924. He died.', ['Edward D. Wood Jr. was born in 1924.', 'He died.']],
  ['Dr. Smith met Mr. J. Doe. They left.', ['Dr. Smith met Mr. J. Doe.', 'They left.']],
  ['It costs 3.50 dollars.  Yes.', ['It costs 3.50 dollars.', 'Yes.']],
  ['A title\nA sentence.', ['A title', 'A sentence.']],
  ['  ', []],
  ['no end', ['no end']],
])('%j', (text, expected) => {
  const sentences = sentencesOf(text);
  expect(sentences.map((sentence) => sentence.text)).toEqual(expected);
  for (const { text: part, start, end } of sentences) expect(text.slice(start, end)).toBe(part);
});

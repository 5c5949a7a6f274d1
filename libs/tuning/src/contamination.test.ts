import { expect, it } from 'vitest';
import { findContamination } from './contamination.ts';

const tests = ['A fine , funny film with a heart .', 'Too short .', 'it is long and slow and dull'];

it('finds test texts that are also training texts, whatever their punctuation and case', () => {
  const train = ['a fine, funny film -- with a heart', 'it is long and slow', 'too short'];
  expect(findContamination(tests, train, { whole: true })).toEqual({ examined: 3, found: [0, 1] });
});

it('finds test texts within a corpus, but not what is too short to tell', () => {
  const corpus = ['He said: "It is long and slow and dull," and left. Too short.', 'a fine, funny film with a hat'];
  expect(findContamination(tests, corpus, { whole: false })).toEqual({ examined: 2, found: [2] });
});

import { describe, expect, it } from 'vitest';
import { learnMerges } from './learn-merges.ts';

const letters = Array.from('abcdefghijklmnopqrstuvwxyz');

/** Learns from words with their counts; returns the tokens that were made. */
function learn(counts: Record<string, number>, size: number, reserved: string[] = []): string[] {
  const vocab = new Map(letters.map((letter, id) => [letter, id]));
  const words = Object.entries(counts).map(([word, count]) => ({
    symbols: Array.from(word, (letter) => vocab.get(letter)!),
    count,
  }));
  const learning = learnMerges(words, vocab, { size, reserved: new Set(reserved) });
  let step = learning.next();
  while (!step.done) step = learning.next();
  const tokens = [...vocab.keys()];
  expect(step.value.map(({ left, right }) => tokens[left]! + tokens[right]!)).toEqual(tokens.slice(26));
  expect(step.value.map(({ merged }) => merged)).toEqual([...tokens.keys()].slice(26));
  return tokens.slice(26);
}

describe('learnMerges', () => {
  it('merges the most frequent pair first', () => {
    // xy 7, yz 5, then xyz 5; ab 3.
    expect(learn({ xyz: 5, xy: 2, ab: 3 }, 29)).toEqual(['xy', 'xyz', 'ab']);
  });

  it('takes the pair with the smaller ids among equally frequent ones', () => {
    expect(learn({ zb: 2, bz: 2, ay: 2, ax: 2 }, 30)).toEqual(['ax', 'ay', 'bz', 'zb']);
  });

  it('counts a pair that has lost occurrences to another merge anew', () => {
    // ab 6, bc 5 of which 4 are gone after ab; de 3 comes before what is left of bc.
    expect(learn({ abc: 4, ab: 2, bc: 1, de: 3 }, 30)).toEqual(['ab', 'abc', 'de', 'bc']);
  });

  it('merges runs from the left', () => {
    // aaaaa becomes aa aa a, and of its pairs aa a has the smaller ids; then aa aaa.
    expect(learn({ aaaaa: 2 }, 29)).toEqual(['aa', 'aaa', 'aaaaa']);
  });

  it('stops at the size asked for, or when all words are single tokens', () => {
    expect(learn({ abcd: 1 }, 27)).toEqual(['ab']);
    expect(learn({ abcd: 1 }, 26)).toEqual([]);
    expect(learn({ abcd: 1, a: 9 }, 99)).toEqual(['ab', 'cd', 'abcd']);
  });

  it('never makes a reserved token', () => {
    expect(learn({ end: 9, ends: 1 }, 99, ['end'])).toEqual(['en', 'ds', 'ends']);
  });
});

import { describe, expect, it } from 'vitest';
import { normalizeText, textF1 } from './text-answers.ts';

describe('texts as SQuAD compares them', () => {
  it.each([
    ['The  Cat, and a dog!', 'cat and dog'],
    ['An apple', 'apple'],
    ['“Zürich”', 'zürich'],
    ['U.S.', 'us'],
    ['theatre', 'theatre'],
    ['the', ''],
  ])('%s', (text, normal) => {
    expect(normalizeText(text)).toBe(normal);
  });

  it('are as alike as they share words', () => {
    // By hand: 2 of 3 words are right, 2 of 4 were found.
    const { f1, precision, recall } = textF1('big red car', 'the red car of him');
    expect([precision, recall]).toEqual([2 / 3, 2 / 4]);
    expect(f1).toBeCloseTo(4 / 7, 12);
    expect(textF1('red red', 'red car')).toMatchObject({ precision: 1 / 2, recall: 1 / 2 });
    expect(textF1('Red!', 'the red').f1).toBe(1);
    expect(textF1('blue', 'red').f1).toBe(0);
    expect(textF1('', '').f1).toBe(0);
  });

  it('share nothing where one is yes or no and the other is not the same', () => {
    expect(textF1('yes it is', 'yes').f1).toBe(0);
    expect(textF1('no', 'yes').f1).toBe(0);
    expect(textF1('Yes.', 'yes').f1).toBe(1);
  });
});

import { expect, test } from 'vitest';
import { analyze, queryTerms, termsOf } from './analyze.ts';

test('English words are folded and stemmed', () => {
  expect(termsOf("The Farmer's horses were RUNNING; naïve cafés, don't")).toEqual([
    'the',
    'farmer',
    'hors',
    'were',
    'run',
    'naiv',
    'cafe',
    'dont',
  ]);
});

test('Chinese gives characters and pairs of neighbours, and words between them stay words', () => {
  expect(termsOf('中国人用GPT2')).toEqual(['中', '中国', '国', '国人', '人', '人用', '用', 'gpt2']);
});

test('terms know the characters they come from', () => {
  const text = '“Ｃａｔｓ” and 𠮷野家';
  for (const { term, start, end } of analyze(text)) expect(termsOf(text.slice(start, end))).toContain(term);
  expect(analyze(text).map(({ start, end }) => text.slice(start, end))).toEqual([
    'Ｃａｔｓ',
    'and',
    '𠮷',
    '𠮷野',
    '野',
    '野家',
    '家',
  ]);
  expect(termsOf('Ｃａｔｓ')).toEqual(['cat']);
});

test('queries drop stop words, unless there is nothing else', () => {
  expect([...queryTerms('what is the capital of the the capital')]).toEqual([['capit', 2]]);
  expect([...queryTerms('who is it')].length).toBe(3);
});

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type AnswerKind, assertAnswerKind, extractAnswer, isSameAnswer, statesAnswer } from './task-answer.ts';

const number: AnswerKind = { kind: 'number' };
const text: AnswerKind = { kind: 'text' };
const yesNo: AnswerKind = { kind: 'yes-no' };
const choice: AnswerKind = { kind: 'choice', choices: ['New York', 'New York City', 'Paris'] };

function keyOf(answer: string, kind: AnswerKind): string | undefined {
  return extractAnswer(answer, kind)?.key;
}

describe('the answer of a text, as a number', () => {
  it.each<[string, string | undefined]>([
    ['She has 16 - 3 = <<16-3=13>>13 eggs.\n#### 1,300', '1300'],
    ['The answer is 5 apples for 3 children.', '5'],
    ['The answer is 4. Wait, no. The answer is 6.', '6'],
    ['Therefore, the answer (arabic numerals) is 792.', '792'],
    ['**Answer:** $18.50', '18.5'],
    ['Final Answer: \\boxed{\\frac{3}{4}}', '0.75'],
    ['so we get \\boxed{1{,}234} in all', '1234'],
    ['The answer is \\(\\boxed{-7}\\).', '-7'],
    // Nothing is marked: the last one counts.
    ['First 3, then 5 more: 3 + 5 = 8.', '8'],
    // A mark with nothing in it is none.
    ['It is 7. The answer is: ', '7'],
    ['The answer is unknown.', undefined],
    ['', undefined],
  ])('%j', (given, key) => {
    expect(keyOf(given, number)).toBe(key);
  });

  it('is the same in other spellings', () => {
    expect(isSameAnswer('$1,234.00', '1234', number)).toBe(true);
    expect(isSameAnswer('3/4', '0.75', number)).toBe(true);
    expect(isSameAnswer('50%', '50', number)).toBe(true);
    expect(isSameAnswer('50%', '0.5', number)).toBe(true);
    expect(isSameAnswer('5%', '0.5', number)).toBe(false);
    expect(isSameAnswer('seven', '7', number)).toBe(true);
    expect(isSameAnswer('-7', '7', number)).toBe(false);
    expect(isSameAnswer('none', '7', number)).toBe(false);
  });
});

describe('the answer of a text, as a text', () => {
  it.each<[string, string | undefined]>([
    ['The answer is Paris. It lies on the Seine.', 'paris'],
    ['Answer: the Eiffel Tower', 'eiffel tower'],
    ['The answer is J. R. R. Tolkien.', 'j r r tolkien'],
    // 24.0 is 24, and not the 240 that is left without the point.
    ['24.0', '24'],
    ['1,000', '1000'],
    ['...', undefined],
  ])('%j', (given, key) => {
    expect(keyOf(given, text)).toBe(key);
  });
});

describe('the answer of a text, as yes or no', () => {
  it.each<[string, string | undefined]>([
    ['Yes, although no one knows why.', 'yes'],
    ['It is not so. The answer is no.', 'no'],
    ['Nobody knows', undefined],
    ['That is true', 'yes'],
    ['one can say: no', 'no'],
    ['The claim is incorrect.', 'no'],
  ])('%j', (given, key) => {
    expect(keyOf(given, yesNo)).toBe(key);
  });
});

describe('the answer of a text, as a choice', () => {
  it.each<[string, string | undefined]>([
    ['B', 'B'],
    ['(c)', 'C'],
    ['The answer is (B) New York City.', 'B'],
    ['C. Paris', 'C'],
    ['A is wrong, and so is (B). The answer is C.', 'C'],
    ['paris', 'C'],
    ['I would say New York City', 'B'],
    ['New York', 'A'],
    // Not decided.
    ['Paris or New York City', undefined],
    ['A city in France', undefined],
    ['D', undefined],
  ])('%j', (given, key) => {
    expect(keyOf(given, choice)).toBe(key);
  });
});

it('says whether a text states its answer', () => {
  expect(statesAnswer('3 + 4 = 7', number)).toBe(false);
  expect(statesAnswer('3 + 4 = 7. The answer is 7.', number)).toBe(true);
  expect(statesAnswer('The answer is not known.', number)).toBe(false);
});

it('dates are compared as dates', () => {
  expect(isSameAnswer('on July 16, 1966', '07/16/1966', { kind: 'date' })).toBe(true);
  expect(isSameAnswer('July 1966', '1966-07-16', { kind: 'date' })).toBe(false);
});

it('kinds are checked', () => {
  expect(() => assertAnswerKind({ kind: 'choice', choices: ['one'] })).toThrow(
    'answer: 1 choices are given; 2 to 26 are allowed',
  );
  expect(() => assertAnswerKind({ kind: 'colour' } as never)).toThrow(
    'answer: "colour" is no kind of answer; there are text, number, yes-no, date, choice',
  );
});

describe('the solutions of GSM8K', () => {
  const folder = fileURLToPath(new URL('../../../../../shared/data/math/', import.meta.url));
  const isMissing = !existsSync(folder);

  it.skipIf(isMissing).each([
    ['test', 1319, 1259],
    ['train', 7473, 7185],
  ])('%s: the answer is found wherever it is marked (needs ../shared/data)', (name, rows, unmarkedRight) => {
    const lines = readFileSync(`${folder}gsm8k-${name}.jsonl`, 'utf8').trim().split('\n');
    const counts = { marked: 0, said: 0, unmarked: 0 };
    for (const line of lines) {
      const { answer } = JSON.parse(line) as { answer: string };
      const [body, end] = answer.split('####') as [string, string];
      const gold = end.trim();
      const key = gold.replaceAll(',', '').replace(/\.0+$/, '');
      if (keyOf(answer, number) === key && isSameAnswer(answer, gold, number)) counts.marked++;
      if (keyOf(`${body}The answer is ${gold}.`, number) === key) counts.said++;
      // What the last number of the working is: not always the answer.
      if (isSameAnswer(body, gold, number)) counts.unmarked++;
    }
    expect(counts).toEqual({ marked: rows, said: rows, unmarked: unmarkedRight });
    expect(lines).toHaveLength(rows);
  });
});

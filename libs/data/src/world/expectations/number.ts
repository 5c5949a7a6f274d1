/** A number, with or without the columns that lead to it. */
import type { Random } from '@crucible/foundation';
import type { Sum } from '../columns.ts';
import { isWorkingLine, sumValue, workedAnswer, workingLines } from '../columns.ts';
import type { Claim, Reading } from './reading.ts';
import { bareSentence, isOnTopic, readingOf, sentencesOf } from './reading.ts';

export interface NumberExpectation {
  readonly kind: 'number';
  readonly value: number;
  /** The sum whose working may be shown. */
  readonly sum?: Sum;
  /** The working was asked for. */
  readonly worked: boolean;
}

export function readNumber(expected: NumberExpectation, response: string, questionWords: ReadonlySet<string>): Reading {
  const sentences = sentencesOf(response);
  const working = sentences.filter(isWorkingLine);
  const claims = sentences
    .filter((sentence) => !isWorkingLine(sentence))
    .map((sentence) => numberClaim(sentence, expected.sum, questionWords));
  const reading = readingOf(claims, (value) => Number(value) === expected.value);
  if (reading.claim !== 'right') return reading;
  const needed = expected.sum === undefined ? [] : workingLines(expected.sum);
  const isWorked = working.join() === needed.join();
  return {
    claim: 'right',
    excess: reading.excess || (working.length > 0 && !isWorked),
    ...(expected.worked && !isWorked && { lacks: 'working' as const }),
  };
}

/** The answer in full: the columns and the result; undefined where there is no sum to be worked. */
export function workedNumber(expected: NumberExpectation): string | undefined {
  return expected.sum && workedAnswer(workingLines(expected.sum), expected.value);
}

/** The value with one digit off by one or two, as after a slip; with the working that leads there, if it was asked for. */
export function wrongNumber({ value, sum, worked }: NumberExpectation, random: Random): string {
  const digits = String(value);
  const lines = worked && sum !== undefined ? workingLines(sum) : undefined;
  const column = random.integer(1, Math.min(digits.length, lines?.length ?? digits.length));
  // Never zero, so that the number keeps its length.
  const slipped = String((Number(digits.at(-column)) + random.integer(1, 2)) % 10 || 1);
  const wrong = digits.slice(0, digits.length - column) + slipped + digits.slice(digits.length - column + 1);
  if (lines === undefined) return wrong;
  lines[column - 1] = lines[column - 1]!.slice(0, -1) + slipped;
  return workedAnswer(lines, wrong);
}

function numberClaim(sentence: string, sum: Sum | undefined, questionWords: ReadonlySet<string>): Claim | undefined {
  const bare = withoutUnit(bareSentence(sentence), questionWords);
  if (isNumber(bare)) return { values: [withoutCommas(bare)], bare: true };
  const result = sum && resultOfEquation(bare, sum);
  if (result !== undefined) return { values: [result], bare: true };
  const answer = /\bthe answer is (-?\d.*)/i.exec(sentence)?.[1];
  if (answer !== undefined) return { values: numbersIn(answer), bare: false };
  const operands = sum === undefined ? [] : [sum.a, sum.b];
  const values = numbersIn(sentence).filter((number) => !operands.includes(Number(number)));
  return values.length > 0 && isOnTopic(sentence, questionWords) ? { values, bare: false } : undefined;
}

function numbersIn(text: string): string[] {
  return (text.match(/-?\d+(?:,\d+)*(?:\.\d+)?/g) ?? []).map(withoutCommas);
}

/** "85 apples" is 85 where the question speaks of apples. */
function withoutUnit(text: string, questionWords: ReadonlySet<string>): string {
  const [, number, unit] = /^(\S+) (\p{L}+)$/u.exec(text) ?? [];
  return number !== undefined && questionWords.has(unit!.toLowerCase()) ? number : text;
}

/** What stands behind the equals sign of "34 + 51 = 85" or "34 plus 51 is 85", if the sum is the one of the question. */
function resultOfEquation(text: string, sum: Sum): string | undefined {
  const signs = { '+': '\\+|plus', '-': '-|minus', '*': '[*×x]|times' }[sum.operator];
  return new RegExp(`^${sum.a} ?(?:${signs}) ?${sum.b} ?(?:=|is|equals|makes) ?(-?\\d+)$`, 'i').exec(text)?.[1];
}

function isNumber(text: string): boolean {
  return /^-?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?$/.test(text);
}

/** What has commas in other places than between thousands stays as it is, and so is no number. */
function withoutCommas(text: string): string {
  return isNumber(text) ? text.replaceAll(',', '') : text;
}

/** The expectation of a sum. */
export function sumExpectation(sum: Sum, worked: boolean): NumberExpectation {
  return { kind: 'number', value: sumValue(sum), sum, worked };
}

/** A program that works out a number. */
import type { Random } from '@crucible/foundation';
import type { Evaluation } from '../program.ts';
import { evaluateProgram } from '../program.ts';
import { isClose, parseRational } from '../rational.ts';
import type { Reading } from './reading.ts';

export interface ProgramExpectation {
  readonly kind: 'program';
  /** In decimal notation, with six decimals at most. */
  readonly value: string;
}

export function readProgram(expected: ProgramExpectation, response: string): Reading {
  const { program, around } = programIn(response);
  if (program === undefined) return { claim: 'none', excess: response.includes('\n') };
  return { claim: evaluatesTo(evaluateProgram(program), expected.value) ? 'right' : 'wrong', excess: around };
}

export function evaluatesTo(evaluation: Evaluation, value: string): boolean {
  return evaluation.ok && isClose(evaluation.value, parseRational(value)!);
}

/** The ideal program with one digit copied wrongly, or with another operator. */
export function wrongProgram(expected: ProgramExpectation, ideal: string, random: Random): string {
  for (;;) {
    const program = random.boolean() ? withOtherDigit(ideal, random) : withOtherOperator(ideal, random);
    if (!evaluatesTo(evaluateProgram(program), expected.value)) return program;
  }
}

/** Replaces one digit of one number, by one that is not zero. */
export function withOtherDigit(text: string, random: Random): string {
  const { index, 0: digit } = random.pick([...text.matchAll(/\d/g)]);
  const others = '123456789'.replace(digit, '');
  const other = others.charAt(random.integer(0, others.length - 1));
  return text.slice(0, index) + other + text.slice(index + 1);
}

function withOtherOperator(text: string, random: Random): string {
  const { index } = random.pick([...text.matchAll(/ [-+*/] /g)]);
  return `${text.slice(0, index)} ${random.pick(['+', '-', '*'])} ${text.slice(index + 3)}`;
}

/** Cuts a response into the program, fenced or bare, and what stands around it. */
function programIn(response: string): { program: string | undefined; around: boolean } {
  const fence = /^```(?:python|py)?\n([^]*?)\n?```/m.exec(response);
  const bare = /^def [^]*?^[ \t]+return\b.*/m.exec(response);
  const [match, program] = fence === null ? [bare, bare?.[0]] : [fence, fence[1]!];
  if (match === null) return { program: undefined, around: true };
  const around = response.slice(0, match.index) + response.slice(match.index + match[0].length);
  return { program, around: around.trim() !== '' };
}

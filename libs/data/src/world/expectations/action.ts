/** One step of ReAct (Yao et al., 2022): a thought, and an action in square brackets. */
import type { Random } from '@crucible/foundation';
import { evaluateExpression, evaluateProgram } from '../program.ts';
import { evaluatesTo, withOtherDigit } from './program.ts';
import type { Reading } from './reading.ts';
import { normalized, sentencesOf } from './reading.ts';

export type ActionName = 'Search' | 'Lookup' | 'Python' | 'Finish';

export interface ActionExpectation {
  readonly kind: 'action';
  /** Counted from 1. */
  readonly step: number;
  readonly action: ActionName;
  /** What stands in the brackets. For numbers, and for Python, what it is worth counts. */
  readonly argument: string;
  /** The number that the argument is worth, in decimal notation. */
  readonly value?: string;
  /** Other arguments that a careless reader might take. */
  readonly others: readonly string[];
}

const thoughtLine = /^Thought (\d+): (.+)$/;
const actionLine = /^Action (\d+): ([A-Za-z]+)\[(.*)\]$/;

export function readAction(expected: ActionExpectation, response: string): Reading {
  const lines = response.split('\n').filter((line) => line.trim() !== '');
  const actions = lines.map((line) => actionLine.exec(line.trim())).filter((match) => match !== null);
  if (actions.length === 0) return { claim: 'none', excess: lines.length > 1 };
  const isRight = actions.every(([, , name, argument]) => isExpected(expected, name!, argument!));
  const thought = lines.map((line) => thoughtLine.exec(line.trim())).find((match) => match !== null);
  const isWellFormed =
    actions.length === 1 &&
    lines.length === (thought === undefined ? 1 : 2) &&
    [thought?.[1] ?? expected.step, actions[0]![1]].every((step) => Number(step) === expected.step) &&
    sentencesOf(thought?.[2] ?? '').length <= 2;
  return {
    claim: isRight ? 'right' : 'wrong',
    excess: !isWellFormed,
    ...(thought === undefined && { lacks: 'working' as const }),
  };
}

export function wrongAction(expected: ActionExpectation, ideal: string, random: Random): string {
  const argument = expected.value === undefined ? random.pick(expected.others) : otherNumbers(expected, random);
  return ideal.replace(/\[.*\]$/, () => `[${argument}]`);
}

function otherNumbers(expected: ActionExpectation, random: Random): string {
  for (;;) {
    const argument = withOtherDigit(expected.argument, random);
    if (!isExpected(expected, expected.action, argument)) return argument;
  }
}

function isExpected({ action, argument, value }: ActionExpectation, name: string, given: string): boolean {
  // The authors of ReAct lower the first letter, so both are in use.
  if (name.toLowerCase() !== action.toLowerCase()) return false;
  if (value === undefined) return normalized(given) === normalized(argument);
  const evaluate = given.startsWith('def ') ? evaluateProgram : evaluateExpression;
  return evaluatesTo(evaluate(action === 'Finish' ? given.replaceAll(',', '') : given), value);
}

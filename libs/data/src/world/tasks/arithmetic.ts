/** Sums of numbers of one to three digits, bare or in a sentence; with or without the request to work them out. */
import type { Random } from '@crucible/foundation';
import { forgedWords } from '@crucible/prompting';
import type { Operator, Sum } from '../columns.ts';
import { sumValue, workedAnswer, workingLines } from '../columns.ts';
import type { Format } from '../example.ts';
import { sumExpectation } from '../expectations/number.ts';
import { drawFirstName } from '../names.ts';
import type { Phrasings } from '../phrasing.ts';
import { fill, pickPhrasing } from '../phrasing.ts';
import { pickWeighted } from '../pick-weighted.ts';
import type { Split } from '../split.ts';
import { isPairOnSide } from '../split.ts';
import { plainQuestion, type Draw, type Drawn, type Task } from '../task.ts';

export const arithmetic: Task = {
  formats: { plain: 0.4, steps: 0.6 },
  draw(draw, format) {
    return drawArithmetic(draw, format);
  },
  question(draw) {
    const question = plainQuestion(drawArithmetic(draw, 'plain'));
    const sum = question.expected.kind === 'number' ? question.expected.sum : undefined;
    return { ...question, ...(sum && { reasoning: workingLines(sum).join('\n') }) };
  },
};

const operatorWeights: Readonly<Record<Operator, number>> = { '+': 0.4, '-': 0.35, '*': 0.25 };

/** How often an operand of a sum or a difference has one, two or three digits. */
const digitWeights = [0.45, 0.45, 0.1];

const wordProblemShare = 0.25;

const bare: Phrasings = {
  train: [
    'What is {a} {sign} {b}?',
    'Compute {a} {sign} {b}.',
    '{a} {sign} {b}',
    '{a} {sign} {b} = ?',
    'How much is {a} {word} {b}?',
    'What is {a} {word} {b}?',
    'Please work out {a} {sign} {b}.',
    'Tell me what {a} {word} {b} is.',
    'I need the result of {a} {sign} {b}.',
    'Calculate {a} {word} {b}.',
  ],
  heldout: [
    'How much is {a} {sign} {b}?',
    'Please tell me what {a} {sign} {b} is.',
    'What is the result of {a} {word} {b}?',
    'I need to work out {a} {word} {b}.',
  ],
};

/** A word problem: what is counted by `{things}` comes out as the answer. */
const wordProblems: Readonly<Record<Operator, Phrasings>> = {
  '+': {
    train: [
      '{name} has {a} {things} and finds {b} more. How many {things} does {name} have now?',
      'There are {a} {things} in one box and {b} in another. How many {things} are there?',
      '{name} buys {a} {things} on Monday and {b} on Friday. How many {things} is that?',
    ],
    heldout: ['{name} has {a} {things} in one box and buys {b} more. How many {things} are there now?'],
  },
  '-': {
    train: [
      '{name} has {a} {things} and sells {b}. How many {things} are left?',
      'There were {a} {things} in a box. {name} takes {b}. How many {things} are left?',
      'Of {a} {things}, {b} are broken. How many {things} are not?',
    ],
    heldout: ['There are {a} {things} and {name} sells {b}. How many {things} does {name} have now?'],
  },
  '*': {
    train: [
      'There are {a} boxes with {b} {things} in each. How many {things} are there?',
      '{name} buys {a} bags of {b} {things}. How many {things} is that?',
      'Each of {a} children has {b} {things}. How many {things} do they have?',
    ],
    heldout: ['{name} has {a} boxes with {b} {things} in each. How many {things} does {name} have?'],
  },
};

const countedThings = ['apples', 'eggs', 'coins', 'books', 'shells', 'cups', 'nails', 'candles', 'stones', 'ribbons'];

/** The trigger of zero-shot chain of thought (Kojima et al., 2022) and its like; they are not reserved. */
const stepTriggers = [forgedWords.steps, 'Think step by step.', 'Work it out step by step.', 'Show your steps.'];

function drawArithmetic({ split, random }: Draw, format: Format): Drawn {
  const sum = drawSum(split, random);
  const { question, phrasing } = drawQuestion(sum, split, random);
  const trigger = format === 'steps' ? ` ${random.pick(stepTriggers)}` : '';
  const value = sumValue(sum);
  return {
    messages: [{ role: 'user', content: question + trigger }],
    response: format === 'steps' ? workedAnswer(workingLines(sum), value) : String(value),
    answer: String(value),
    phrasing: phrasing + trigger,
    expected: sumExpectation(sum, format === 'steps'),
  };
}

/** A sum whose operands may be met in `split`. */
export function drawSum(split: Split, random: Random): Sum {
  for (;;) {
    const operator = pickWeighted(operatorWeights, random);
    const sum = operator === '*' ? drawProduct(random) : drawSumOrDifference(operator, random);
    if (isPairOnSide(split, sum.a, sum.b)) return sum;
  }
}

function drawSumOrDifference(operator: '+' | '-', random: Random): Sum {
  const [a, b] = [drawOperand(random), drawOperand(random)];
  return operator === '-' && a < b ? { a: b, operator, b: a } : { a, operator, b };
}

function drawProduct(random: Random): Sum {
  const digit = random.integer(2, 9);
  const other = random.boolean(0.5) ? random.integer(1, 9) : random.integer(10, 99);
  return random.boolean() ? { a: digit, operator: '*', b: other } : { a: other, operator: '*', b: digit };
}

function drawOperand(random: Random): number {
  const digits = random.weighted(digitWeights) + 1;
  return random.integer(10 ** (digits - 1), 10 ** digits - 1);
}

function drawQuestion(sum: Sum, split: Split, random: Random): { question: string; phrasing: string } {
  const { a, operator, b } = sum;
  const isWordProblem = random.boolean(wordProblemShare);
  const phrasing = pickPhrasing(isWordProblem ? wordProblems[operator] : bare, split, random);
  const signs = { '+': '+', '-': '-', '*': random.pick(['*', '×']) };
  const words = { '+': 'plus', '-': 'minus', '*': 'times' };
  const question = fill(phrasing, {
    a,
    b,
    sign: signs[operator],
    word: words[operator],
    name: drawFirstName(split, random),
    things: random.pick(countedThings),
  });
  return { question, phrasing };
}

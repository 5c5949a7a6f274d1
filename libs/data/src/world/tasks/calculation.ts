/** Numbers too big for the head: the answer is a program (PAL), or a calculation that a tool does (ReAct). */
import type { Random } from '@crucible/foundation';
import { forgedWords } from '@crucible/prompting';
import type { Format } from '../example.ts';
import { drawFirstName } from '../names.ts';
import type { Phrasings } from '../phrasing.ts';
import { fill, pickPhrasing } from '../phrasing.ts';
import { pickWeighted } from '../pick-weighted.ts';
import { evaluateExpression } from '../program.ts';
import { decimalFrom } from '../rational.ts';
import { stepExample } from '../react.ts';
import type { Trajectory } from '../react.ts';
import type { Split } from '../split.ts';
import { isPairOnSide } from '../split.ts';
import { systemPrompts } from '../system-prompts.ts';
import type { Draw, Drawn, Task } from '../task.ts';

export const calculation: Task = {
  formats: { program: 0.6, react: 0.4 },
  draw: drawCalculation,
  question(draw) {
    const { question, phrasing, calculation } = drawQuestion(draw);
    const answer = answerOf(calculation);
    return {
      question,
      answer,
      reasoning: `${withNumbers(calculation)} = ${answer}`,
      program: programOf(calculation),
      phrasing,
      expected: { kind: 'number', value: Number(answer), worked: false },
    };
  },
};

/** A calculation: names for the numbers of a question, and what is to be done with them. */
interface Calculation {
  /** In the order of the question: name and number, the number in decimal notation. */
  readonly numbers: readonly (readonly [name: string, number: string])[];
  /** An expression of the names. */
  readonly expression: string;
}

/** How large a number is drawn: `whole` to six digits, `decimal` the same with up to three places, `few` 2 to 99. */
type Size = 'whole' | 'decimal' | 'few';

interface Problem {
  /** Sizes by name; the names are the slots of the phrasing and the variables of the program. */
  readonly sizes: Readonly<Record<string, Size>>;
  readonly expression: string;
  /** Told before the question; documents tell it, too. */
  readonly stories: Phrasings;
  readonly questions: Phrasings;
}

/** The shapes of bare expressions, of one to three operations; every name is drawn whole or decimal. */
const shapes = [
  'first + second',
  'first - second',
  'first * second',
  'first * second',
  'first / second',
  'first + second - third',
  'first * second + third',
  'first * second - third',
  '(first + second) * third',
  '(first - second) * third',
  '(first + second) / third',
  'first * second + third - fourth',
  'first * second + third * fourth',
  '(first + second) * third - fourth',
];

const bare: Phrasings = {
  train: [
    'What is {expression}?',
    'Compute {expression}.',
    'How much is {expression}?',
    'Calculate {expression}.',
    'Please work out {expression}.',
    'I need the result of {expression}.',
    '{expression}',
  ],
  heldout: [
    'What is the result of {expression}?',
    'Please tell me what {expression} is.',
    'I need to compute {expression}.',
  ],
};

/** The shapes in words. */
const spoken: readonly { readonly expression: string; readonly phrasings: Phrasings }[] = [
  {
    expression: 'first * second',
    phrasings: {
      train: ['What is {first} times {second}?', 'Multiply {first} by {second}.'],
      heldout: ['How much is {first} times {second}?'],
    },
  },
  {
    expression: 'first / second',
    phrasings: { train: ['Divide {first} by {second}.'], heldout: ['Please divide {first} by {second}.'] },
  },
  {
    expression: '(first + second) * third',
    phrasings: {
      train: ['Add {first} to {second} and multiply the result by {third}.'],
      heldout: ['What is {first} plus {second}, and then times {third}?'],
    },
  },
  {
    expression: 'first * second - third',
    phrasings: {
      train: ['What is {first} times {second}, minus {third}?'],
      heldout: ['Multiply {first} by {second} and then take {third} from the result.'],
    },
  },
  {
    expression: 'first + second - third',
    phrasings: {
      train: ['Add {first} to {second}, then take {third} from the result.'],
      heldout: ['What is {first} plus {second}, minus {third}?'],
    },
  },
  {
    expression: 'first * second + third - fourth',
    phrasings: {
      train: ['Multiply {first} by {second}, add {third} and take {fourth} from the result.'],
      heldout: ['What is {first} times {second}, plus {third}, minus {fourth}?'],
    },
  },
];

const problems: readonly Problem[] = [
  {
    sizes: { sacks: 'whole', price: 'decimal' },
    expression: 'sacks * price',
    stories: {
      train: ['A mill sells {sacks} sacks at {price} coins each.'],
      heldout: ['A mill has {sacks} sacks and sells each at {price} coins.'],
    },
    questions: { train: ['How many coins is that?'], heldout: ['How many coins does it get?'] },
  },
  {
    sizes: { boats: 'few', load: 'decimal', lost: 'whole' },
    expression: 'boats * load - lost',
    stories: {
      train: ['{boats} boats bring {load} pounds of salt each, and {lost} pounds are lost.'],
      heldout: ['Of salt, {boats} boats bring {load} pounds each; {lost} pounds are lost.'],
    },
    questions: { train: ['How many pounds are left?'], heldout: ['How many pounds is that now?'] },
  },
  {
    sizes: { cups: 'few', price: 'decimal', plates: 'few', cost: 'decimal' },
    expression: 'cups * price + plates * cost',
    stories: {
      train: ['{name} sells {cups} cups at {price} coins each and {plates} plates at {cost} coins each.'],
      heldout: ['{name} has {cups} cups worth {price} coins each and {plates} plates worth {cost} coins each.'],
    },
    questions: { train: ['How many coins is that in all?'], heldout: ['In all, how many coins is that?'] },
  },
  {
    sizes: { income: 'decimal', cost: 'decimal' },
    expression: 'income - cost',
    stories: {
      train: ['A shop has an income of {income} coins and a cost of {cost} coins.'],
      heldout: ['The income of a shop is {income} coins, its cost {cost} coins.'],
    },
    questions: { train: ['What does it earn?'], heldout: ['How many coins does it earn?'] },
  },
  {
    sizes: { coins: 'whole', children: 'few' },
    expression: 'coins / children',
    stories: {
      train: ['{name} leaves {coins} coins to {children} children, in equal parts.'],
      heldout: ['In equal parts, {children} children get {coins} coins from {name}.'],
    },
    questions: { train: ['How many coins does each child get?'], heldout: ['How many coins is that for each child?'] },
  },
  {
    sizes: { north: 'whole', south: 'whole', price: 'decimal' },
    expression: '(north + south) * price',
    stories: {
      train: ['{name} has {north} trees in the north and {south} in the south, each worth {price} coins.'],
      heldout: ['In the north are {north} trees of {name} and in the south {south}; each is worth {price} coins.'],
    },
    questions: { train: ['What are the trees worth?'], heldout: ['How many coins are the trees worth?'] },
  },
  {
    sizes: { length: 'decimal', width: 'decimal' },
    expression: 'length * width',
    stories: {
      train: ['A field has a length of {length} feet and a width of {width} feet.'],
      heldout: ['The length of a field is {length} feet, the width {width} feet.'],
    },
    questions: { train: ['What is the area of the field?'], heldout: ['How much is its area?'] },
  },
  {
    sizes: { wool: 'decimal', silk: 'decimal', tax: 'few' },
    expression: '(wool + silk) / tax',
    stories: {
      train: ['{name} sells wool for {wool} coins and silk for {silk} coins. One part in {tax} goes to the town.'],
      heldout: [
        'The wool of {name} sells for {wool} coins and the silk for {silk} coins; one part in {tax} goes to the town.',
      ],
    },
    questions: { train: ['How many coins go to the town?'], heldout: ['How many coins does the town get?'] },
  },
  {
    sizes: { old: 'whole', born: 'whole', gone: 'whole' },
    expression: 'old + born - gone',
    stories: {
      train: ['A town had {old} people. Then {born} were born and {gone} went away.'],
      heldout: ['Of the {old} people of a town {gone} went away, and {born} were born.'],
    },
    questions: { train: ['How many people has it now?'], heldout: ['How many people are left?'] },
  },
];

/** How often the calculation comes as an expression, in words, or as a word problem. */
const originWeights = { expression: 0.4, words: 0.25, problem: 0.35 } as const;

function drawCalculation(draw: Draw, format: Format): Drawn {
  if (format === 'react') {
    const trajectory = drawCalculationTrajectory(draw);
    return stepExample(trajectory, draw.random.integer(1, trajectory.steps.length));
  }
  const { question, phrasing, calculation } = drawQuestion(draw);
  const answer = answerOf(calculation);
  return {
    messages: [
      { role: 'system', content: systemPrompts.program },
      { role: 'user', content: question },
    ],
    response: programOf(calculation),
    answer,
    phrasing,
    expected: { kind: 'program', value: answer },
  };
}

export function drawCalculationTrajectory(draw: Draw): Trajectory {
  const { question, phrasing, calculation } = drawQuestion(draw);
  const answer = answerOf(calculation);
  return {
    systemPrompt: systemPrompts.python,
    question,
    phrasing,
    answer,
    steps: [
      {
        thought: 'I need to calculate this.',
        action: 'Python',
        argument: withNumbers(calculation),
        value: answer,
        others: [],
        observation: answer,
      },
      { thought: 'I have the result.', action: 'Finish', argument: answer, value: answer, others: [] },
    ],
  };
}

/** The program of PAL: the numbers by name, then the result. */
export function programOf({ numbers, expression }: Calculation): string {
  const lines = [...numbers.map(([name, number]) => `${name} = ${number}`), `result = ${expression}`, 'return result'];
  return ['def solution():', ...lines.map((line) => `    ${line}`)].join('\n');
}

export function answerOf(calculation: Calculation): string {
  const evaluation = evaluateExpression(withNumbers(calculation));
  if (!evaluation.ok) throw new Error(`internal: ${evaluation.error}: ${withNumbers(calculation)}`);
  return decimalFrom(evaluation.value, forgedWords.decimals);
}

/** A story that tells numbers, and what is to be worked out from them. */
export function drawStory({ split, random }: Draw): {
  readonly story: string;
  readonly phrasing: string;
  readonly problem: Problem;
  readonly calculation: Calculation;
} {
  const problem = random.pick(problems);
  const calculation = drawNumbers(problem.expression, problem.sizes, split, random);
  const phrasing = pickPhrasing(problem.stories, split, random);
  const values = { ...Object.fromEntries(calculation.numbers), name: drawFirstName(split, random) };
  return { story: fill(phrasing, values), phrasing, problem, calculation };
}

interface Question {
  readonly question: string;
  readonly phrasing: string;
  readonly calculation: Calculation;
}

function drawQuestion(draw: Draw): Question {
  const { split, random } = draw;
  switch (pickWeighted(originWeights, random)) {
    case 'problem': {
      const { story, phrasing, problem, calculation } = drawStory(draw);
      const ask = pickPhrasing(problem.questions, split, random);
      return { question: `${story} ${ask}`, phrasing: `${phrasing} ${ask}`, calculation };
    }
    case 'words': {
      const { expression, phrasings } = random.pick(spoken);
      const calculation = drawNumbers(expression, sizesOf(expression, random), split, random);
      const phrasing = pickPhrasing(phrasings, split, random);
      return { question: fill(phrasing, Object.fromEntries(calculation.numbers)), phrasing, calculation };
    }
    case 'expression': {
      const expression = random.pick(shapes);
      const calculation = drawNumbers(expression, sizesOf(expression, random), split, random);
      const phrasing = pickPhrasing(bare, split, random);
      const signs = { '*': random.pick(['*', '×']), '/': random.pick(['/', '÷']) };
      const shown = withNumbers(calculation).replace(/[*/]/g, (sign) => signs[sign as '*' | '/']);
      return { question: fill(phrasing, { expression: shown }), phrasing, calculation };
    }
  }
}

/** Sizes for the names of a bare expression. */
function sizesOf(expression: string, random: Random): Record<string, Size> {
  const names = expression.match(/[a-z]+/g)!.sort((a, b) => ordinals.indexOf(a) - ordinals.indexOf(b));
  return Object.fromEntries(names.map((name) => [name, random.pick<Size>(['whole', 'whole', 'decimal'])]));
}

const ordinals = ['first', 'second', 'third', 'fourth'];

/** Numbers that may be met in `split`. The result is 1 at least: of smaller ones a tolerance of 1e-3 would say nothing. */
function drawNumbers(
  expression: string,
  sizes: Readonly<Record<string, Size>>,
  split: Split,
  random: Random,
): Calculation {
  for (;;) {
    const numbers = Object.entries(sizes).map(([name, size]) => [name, drawNumber(size, random)] as const);
    const calculation = { numbers, expression };
    if (areOnSide(numbers, split) && Number(answerOf(calculation)) >= 1) return calculation;
  }
}

/** In train all pairs must be of train; elsewhere the first pair must not be. */
function areOnSide(numbers: Calculation['numbers'], split: Split): boolean {
  const pairs = numbers.flatMap(([, a], i) => numbers.slice(i + 1).map(([, b]) => [a, b] as const));
  return (split === 'train' ? pairs : pairs.slice(0, 1)).every(([a, b]) => isPairOnSide(split, a, b));
}

function drawNumber(size: Size, random: Random): string {
  switch (size) {
    case 'few':
      return String(random.integer(2, 99));
    case 'whole': {
      const digits = random.integer(3, 6);
      return String(random.integer(10 ** (digits - 1), 10 ** digits - 1));
    }
    case 'decimal': {
      const digits = random.integer(2, 6);
      const places = random.integer(1, 3);
      // The last place is not zero, as people write decimals.
      const decimals = random.integer(0, 10 ** (places - 1) - 1) * 10 + random.integer(1, 9);
      return `${random.integer(10 ** (digits - 1), 10 ** digits - 1)}.${String(decimals).padStart(places, '0')}`;
    }
  }
}

/** The expression with numbers in the place of names. */
function withNumbers({ numbers, expression }: Calculation): string {
  const values = new Map(numbers);
  return expression.replace(/[a-z]+/g, (name) => values.get(name)!);
}

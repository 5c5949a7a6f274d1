/** Exact things to do with words, numbers and lists. */
import type { Random } from '@crucible/foundation';
import type { Expectation } from '../expectations/expectation.ts';
import { drawListOnSide, drawNumbers, drawWords, listed, sorted } from '../lists.ts';
import type { Phrasings } from '../phrasing.ts';
import { capitalized, fill, pickPhrasing } from '../phrasing.ts';
import { drawOnSide } from '../split.ts';
import { plainQuestion, type Draw, type Drawn, type Task } from '../task.ts';
import type { ThingKind } from '../things.ts';
import { allThings, thingKinds, things } from '../things.ts';

export const instructions: Task = {
  formats: { plain: 1 },
  draw: drawInstruction,
  question: (draw) => plainQuestion(drawInstruction(draw)),
};

function drawInstruction(draw: Draw): Drawn {
  const kind = draw.random.pick(instructionKinds);
  const phrasing = pickPhrasing(kind.phrasings, draw.split, draw.random);
  const { slots, answer, expected } = kind.draw(draw);
  return {
    messages: [{ role: 'user', content: fill(phrasing, slots) }],
    response: answer,
    answer,
    phrasing,
    expected,
  };
}

interface InstructionKind {
  readonly phrasings: Phrasings;
  draw(draw: Draw): Instance;
}

interface Instance {
  readonly slots: Readonly<Record<string, string | number>>;
  readonly answer: string;
  readonly expected: Expectation;
}

/** An exact text; `others` are near misses, of which those that happen to be right are left out. */
function exactly(answer: string, others: readonly string[], slots: Instance['slots']): Instance {
  const wrong = [...new Set(others)].filter((other) => other !== answer);
  return { slots, answer, expected: { kind: 'text', answer, others: wrong } };
}

function counted(value: number, slots: Instance['slots']): Instance {
  return { slots, answer: String(value), expected: { kind: 'number', value, worked: false } };
}

const marks: Readonly<Record<string, string>> = {
  'a dash': '-',
  'a slash': '/',
  'a plus': '+',
  'the word and': ' and ',
};

const countWords = ['two', 'three', 'four'];

const instructionKinds: readonly InstructionKind[] = [
  {
    phrasings: {
      train: ['Repeat: {words}', 'Repeat these words: {words}', 'Copy this: {words}', 'Say this again: {words}'],
      heldout: ['Copy these words: {words}', 'Repeat this: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 2, 4);
      return exactly(words.join(' '), [words.toReversed().join(' '), words.slice(1).join(' ')], {
        words: words.join(' '),
      });
    },
  },
  {
    phrasings: {
      train: [
        'Reverse the order of these words: {words}',
        'Write these words backwards: {words}',
        'Reverse this list: {words}',
      ],
      heldout: ['Write this list backwards: {words}', 'Reverse these words: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 2, 4);
      const answer = words.toReversed();
      const others = [words, draw.random.shuffled(words), answer.slice(1)].map(listed);
      return exactly(listed(answer), others, { words: listed(words) });
    },
  },
  {
    phrasings: {
      train: [
        'Sort these words: {words}',
        'Put these words in the order of the alphabet: {words}',
        'Sort by the alphabet: {words}',
      ],
      heldout: ['Sort this list of words: {words}', 'Put this list in the order of the alphabet: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 2, 3);
      const answer = sorted(words);
      const others = [words, answer.toReversed(), answer.slice(1)].map(listed);
      return exactly(listed(answer), others, { words: listed(words) });
    },
  },
  {
    phrasings: {
      train: [
        'Sort these numbers: {numbers}',
        'Put these numbers in order: {numbers}',
        'Sort from small to large: {numbers}',
      ],
      heldout: ['Put these numbers in order from small to large: {numbers}', 'Sort this list of numbers: {numbers}'],
    },
    draw(draw) {
      const numbers = drawNumbers(draw.split, draw.random);
      const answer = sorted(numbers);
      const others = [numbers, answer.toReversed(), answer.slice(1)].map(listed);
      return exactly(listed(answer), others, { numbers: listed(numbers) });
    },
  },
  {
    phrasings: {
      train: [
        'Which number is the {end}: {numbers}',
        'Name the {end} number: {numbers}',
        'The {end} of these: {numbers}',
      ],
      heldout: ['Which of these is the {end} number: {numbers}', 'Name the {end} of these: {numbers}'],
    },
    draw(draw) {
      const numbers = drawNumbers(draw.split, draw.random);
      const end = draw.random.pick(['largest', 'smallest']);
      const answer = sorted(numbers).at(end === 'largest' ? -1 : 0)!;
      return exactly(answer, numbers, { numbers: listed(numbers), end });
    },
  },
  {
    phrasings: {
      train: ['How many words are these: {words}', 'Count the words: {words}', 'Count these: {words}'],
      heldout: ['How many are these: {words}', 'Count these words: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 2, 5);
      return counted(words.length, { words: listed(words) });
    },
  },
  {
    phrasings: {
      train: [
        'What is the {end} word of this list: {words}',
        'Name the {end} word: {words}',
        'Give me the {end} of these words: {words}',
      ],
      heldout: ['Name the {end} of these words: {words}', 'What is the {end} of these: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 2, 4);
      const end = draw.random.pick(['first', 'last']);
      return exactly(words.at(end === 'first' ? 0 : -1)!, words, { words: listed(words), end });
    },
  },
  {
    phrasings: {
      train: [
        'Join these words with {mark}: {words}',
        'Put {mark} between these words: {words}',
        'Join with {mark}: {words}',
      ],
      heldout: ['Put {mark} between these: {words}', 'Join this list with {mark}: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 2, 4);
      const mark = draw.random.pick(Object.keys(marks));
      const others = Object.values(marks).map((other) => words.join(other));
      return exactly(words.join(marks[mark]), others, { words: words.join(' '), mark });
    },
  },
  {
    phrasings: {
      train: [
        'Write in capital letters: {words}',
        'Put this in capital letters: {words}',
        'Use capital letters: {words}',
      ],
      heldout: ['Write this in capital letters: {words}', 'Use capital letters for this: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 1, 3).join(' ');
      return exactly(words.toUpperCase(), [words.toLowerCase(), capitalized(words.toLowerCase())], { words });
    },
  },
  {
    phrasings: {
      train: ['Write in small letters: {words}', 'Put this in small letters: {words}', 'Use small letters: {words}'],
      heldout: ['Write this in small letters: {words}', 'Use small letters for this: {words}'],
    },
    draw(draw) {
      const words = drawWords(draw.split, draw.random, 1, 3).join(' ').toLowerCase();
      return exactly(words, [words.toUpperCase(), capitalized(words)], { words: words.toUpperCase() });
    },
  },
  {
    phrasings: {
      train: [
        'Keep only the words that begin with {letter}: {words}',
        'Which words begin with {letter}: {words}',
        'Take the words that begin with {letter}: {words}',
      ],
      heldout: [
        'Which of these words begin with {letter}: {words}',
        'Take only the words that begin with {letter}: {words}',
      ],
    },
    draw(draw) {
      const letter = draw.random.pick(['b', 'c', 'g', 'p', 's']);
      return keeping(draw, (word) => word.startsWith(letter), { letter });
    },
  },
  {
    phrasings: {
      train: [
        'Keep only the {kind}: {words}',
        'Which of these are {kind}: {words}',
        'Take the {kind} from this list: {words}',
      ],
      heldout: ['Which of these words are {kind}: {words}', 'Take only the {kind}: {words}'],
    },
    draw(draw) {
      const kind = draw.random.pick(thingKinds);
      return keeping(draw, (word) => things[kind].includes(word), { kind });
    },
  },
  {
    phrasings: {
      train: [
        'How many of these are {kind}: {words}',
        'Count the {kind}: {words}',
        'How many {kind} are in this list: {words}',
      ],
      heldout: ['Of these words, how many are {kind}: {words}', 'Count the {kind} in this list: {words}'],
    },
    draw({ split, random }) {
      const kind = random.pick(thingKinds);
      const value = random.integer(1, 4);
      const words = drawListOnSide(split, () => mixed(kind, value, random.integer(1, 3), random));
      return counted(value, { words: listed(words), kind });
    },
  },
  {
    phrasings: {
      train: [
        'List {count} {kind}{that}.',
        'Name {count} {kind}{that}.',
        'Tell me {count} {kind}{that}.',
        'Give me {count} {kind}{that}.',
      ],
      heldout: [
        'I need {count} {kind}{that}.',
        'Please name {count} {kind}{that}.',
        'Write a list of {count} {kind}{that}.',
      ],
    },
    draw: drawListing,
  },
];

/** The words of a list that fit, in their order; some do and some do not. */
function keeping({ split, random }: Draw, fits: (word: string) => boolean, slots: Instance['slots']): Instance {
  const fitting = allThings.filter(fits);
  const unfitting = allThings.filter((word) => !fits(word));
  const words = drawListOnSide(split, () =>
    random.shuffled([
      ...random.sample(fitting, random.integer(1, 3)),
      ...random.sample(unfitting, random.integer(1, 3)),
    ]),
  );
  const kept = words.filter(fits);
  const dropped = words.filter((word) => !fits(word));
  return exactly(listed(kept), [listed(dropped), listed(words), listed([...kept, dropped[0]!])], {
    ...slots,
    words: listed(words),
  });
}

/** `count` things of the kind among `rest` others. */
function mixed(kind: ThingKind, count: number, rest: number, random: Random): string[] {
  const others = allThings.filter((word) => !things[kind].includes(word));
  return random.shuffled([...random.sample(things[kind], count), ...random.sample(others, rest)]);
}

/** Two to four things of a kind, mostly with a letter that they begin with. */
function drawListing({ split, random }: Draw): Instance {
  const { kind, letter, count } = drawOnSide(
    split,
    () => drawListingRequest(random),
    (request) => `listing ${request.kind} ${request.count} ${request.letter}`,
  );
  const allowed = things[kind].filter((word) => word.startsWith(letter));
  const others = letter === '' ? allThings : things[kind];
  const answer = listed(random.sample(allowed, count));
  return {
    slots: { kind, count: countWords[count - 2]!, that: letter === '' ? '' : ` that begin with ${letter}` },
    answer,
    expected: { kind: 'members', count, allowed, others: others.filter((word) => !allowed.includes(word)) },
  };
}

/** The letter is empty for none; there are enough words that begin with it. */
function drawListingRequest(random: Random): { kind: ThingKind; letter: string; count: number } {
  const kind = random.pick(thingKinds);
  const initials = things[kind].map((word) => word.charAt(0));
  const shared = initials.filter((letter, i) => initials.indexOf(letter) < i);
  const letter = random.boolean(0.7) ? random.pick(shared) : '';
  const fitting = letter === '' ? countWords.length + 1 : initials.filter((initial) => initial === letter).length;
  return { kind, letter, count: random.integer(2, Math.min(fitting, countWords.length + 1)) };
}

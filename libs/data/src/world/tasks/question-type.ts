/** What kind of answer a question asks for. Relative clauses bring in the question words of other kinds. */
import type { Random } from '@crucible/foundation';
import { drawFirstName, drawName } from '../names.ts';
import type { Phrasings } from '../phrasing.ts';
import { fill, pickPhrasing } from '../phrasing.ts';
import type { Split } from '../split.ts';
import { drawOnSide } from '../split.ts';
import type { Labelled, Labelling } from './classification.ts';
import { classificationTask } from './classification.ts';

export const questionTypes = ['person', 'place', 'number', 'time', 'thing', 'reason'] as const;

type QuestionType = (typeof questionTypes)[number];

/** Slots: `{person}`, `{town}`, `{building}`, `{river}`; a name, or a description with a clause of its own. */
const templates: Readonly<Record<QuestionType, Phrasings>> = {
  person: {
    train: [
      'Who built {building}?',
      'Who is the mayor of {town}?',
      'Which woman taught {person}?',
      'What is the name of the man who built {building}?',
      'By whom was {town} founded?',
      'In whose house does {person} live?',
      'Which sailor comes from {town}?',
      'What is the name of the mayor of {town}?',
      'To whom did {person} sell {building}?',
    ],
    heldout: ['What man comes from {town}?', 'Which person sold {building}?'],
  },
  place: {
    train: [
      'Where is {building}?',
      'Where does {person} live?',
      'In which town was {person} born?',
      'Which town lies on the {river}?',
      'What is the name of the town where {person} lives?',
      'To which lake does the {river} flow?',
      'On what mountain does the {river} rise?',
      'Which hill can be seen from {town}?',
      'From where does {person} come?',
    ],
    heldout: ['To which town did {person} sell wool?', 'On which hill is {building}?'],
  },
  number: {
    train: [
      'How many bridges cross the {river}?',
      'How tall is {building}?',
      'How long is the {river} in miles?',
      'What is the height of {building} in feet?',
      'How much does bread cost in {town}?',
      'For how many coins did {person} sell {building}?',
      'What is the number of houses in {town}?',
      'How old is {person}?',
      'To how many people does {person} write?',
    ],
    heldout: ['For how many coins was {building} built?', 'What is the length of the {river} in miles?'],
  },
  time: {
    train: [
      'When was {town} founded?',
      'In which year was {building} finished?',
      'On what day is the market of {town}?',
      'What year was {person} born in?',
      'At what hour does the gate of {town} close?',
      'Since when has {person} lived in {town}?',
      'Which month is the warmest in {town}?',
      'What is the date of the fair in {town}?',
      'How late does the boat on the {river} leave?',
    ],
    heldout: ['What day was {building} finished on?', 'In which month is the fair in {town}?'],
  },
  thing: {
    train: [
      'What does {person} sell?',
      'What is {town} known for?',
      'Which fruit grows near {town}?',
      'With which tool does {person} work?',
      'What did {person} find in {building}?',
      'Which book did {person} write?',
      'On what kind of boat did {person} cross the {river}?',
      'What is kept in {building}?',
      'Which fish is caught in the {river}?',
    ],
    heldout: ['Which tool is kept in {building}?', 'What grows near the {river}?'],
  },
  reason: {
    train: [
      'Why did {person} leave {town}?',
      'For what reason was {building} built?',
      'What made {person} sad?',
      'What is the reason that {town} is rich?',
      'How come {building} is empty?',
      'What caused the fire in {town}?',
      'Why does the {river} smell?',
      'For which reason was {person} sent to {town}?',
      'What is the cause of the flood in {town}?',
    ],
    heldout: ['What is the reason that {person} is sad?', 'What caused the flood in {town}?'],
  },
};

const descriptions: readonly string[] = [
  'the man who built {building}',
  'the woman who knows why {name} left',
  'the painter who lives where the {river} ends',
  'the teacher who came when {name} was ill',
  'the girl who asked how many there were',
];

const labellings: readonly Labelling<QuestionType>[] = [
  {
    labels: { person: 'person', place: 'place', number: 'number', time: 'time', thing: 'thing', reason: 'reason' },
    questions: {
      train: [
        'Does this question ask for a {labels}? {text}',
        '{text}\nAnswer type ({labels}):',
        'What kind of answer does this question need: {labels}? {text}',
        '{text}\nWhat is asked for? Choose from {labels}.',
        'Type of this question: {text}',
        '{text}\nAnswer type:',
      ],
      heldout: [
        'What does this question ask for: {labels}? {text}',
        '{text}\nWhat kind of answer is asked for? Choose from {labels}.',
      ],
    },
  },
  {
    labels: { person: 'who', place: 'where', number: 'count', time: 'when', thing: 'what', reason: 'why' },
    questions: {
      train: [
        'Choose from {labels}. {text}',
        '{text}\nIs this about {labels}?',
        'Does the question mean {labels}? {text}',
      ],
      heldout: ['{text}\nDoes the question mean {labels}?', 'Is this about {labels}? {text}'],
    },
  },
];

export const questionType = classificationTask(labellings, ({ split, random }) => drawTypedQuestion(split, random));

export function drawTypedQuestion(split: Split, random: Random): Labelled<QuestionType> {
  const type = random.pick(questionTypes);
  return drawOnSide(
    split,
    () => ({ text: drawQuestion(type, split, random), class: type }),
    ({ text }) => `question ${text}`,
  );
}

function drawQuestion(type: QuestionType, split: Split, random: Random): string {
  const names = {
    name: drawFirstName(split, random),
    town: drawName('town', split, random),
    building: drawName('building', split, random),
    river: drawName('river', split, random),
  };
  const person = random.boolean() ? drawName('person', split, random) : fill(random.pick(descriptions), names);
  return fill(pickPhrasing(templates[type], split, random), { ...names, person });
}

/**
 * What can be said of the towns, people, rivers and buildings of the invented country: every attribute with the
 * sentences that state it and the questions that ask for it.
 */
import type { NameKind } from './names.ts';
import type { Phrasings } from './phrasing.ts';

/** Kinds that have attributes, and so pages of their own. */
export const entityKinds = ['town', 'person', 'river', 'building'] as const;

export type EntityKind = (typeof entityKinds)[number];

export type ValueKind = NameKind | 'year' | 'length' | 'height' | 'weekday' | 'good' | 'job';

export interface Attribute {
  readonly of: EntityKind;
  readonly value: ValueKind;
  /** Makes "the mayor of Tamova". */
  readonly noun: string;
  /** `{s}` is the subject, `{v}` the value. Most name the subject first, as a reader looks for it. */
  readonly statements: readonly string[];
  readonly questions: Phrasings;
}

export const attributes = {
  river: {
    of: 'town',
    value: 'river',
    noun: 'river',
    statements: [
      '{s} lies on the river {v}.',
      'Through {s} flows the river {v}.',
      'The river of {s} is the {v}.',
      'The {v} flows through {s}.',
    ],
    questions: {
      train: ['Which river flows through {s}?', 'On which river does {s} lie?', 'What is the river of {s}?'],
      heldout: ['Through {s} flows which river?', 'What river does {s} lie on?'],
    },
  },
  mayor: {
    of: 'town',
    value: 'person',
    noun: 'mayor',
    statements: [
      'The mayor of {s} is {v}.',
      '{s} has a mayor, {v}.',
      'In {s} the mayor is {v}.',
      '{v} is the mayor of {s}.',
    ],
    questions: {
      train: ['Who is the mayor of {s}?', 'What is the name of the mayor of {s}?', 'Who is mayor in {s}?'],
      heldout: ['The mayor of {s} is who?', 'Which person is the mayor of {s}?'],
    },
  },
  founder: {
    of: 'town',
    value: 'person',
    noun: 'founder',
    statements: [
      '{s} was founded by {v}.',
      'The founder of {s} was {v}.',
      'The town of {s} was founded by {v}.',
      '{v} founded {s}.',
    ],
    questions: {
      train: ['Who founded {s}?', 'By whom was {s} founded?', 'Who was the founder of {s}?'],
      heldout: ['{s} was founded by whom?', 'What is the name of the founder of {s}?'],
    },
  },
  founded: {
    of: 'town',
    value: 'year',
    noun: 'founding year',
    statements: [
      '{s} was founded in {v}.',
      'The founding year of {s} is {v}.',
      'The town of {s} was founded in the year {v}.',
    ],
    questions: {
      train: ['When was {s} founded?', 'In which year was {s} founded?', 'What is the founding year of {s}?'],
      heldout: ['{s} was founded in which year?', 'What year was {s} founded in?'],
    },
  },
  good: {
    of: 'town',
    value: 'good',
    noun: 'main good',
    statements: [
      '{s} is known for its {v}.',
      'The people of {s} make {v}.',
      'The main good of {s} is {v}.',
      'In {s} they sell {v}.',
    ],
    questions: {
      train: ['What is {s} known for?', 'What do the people of {s} make?', 'What is the main good of {s}?'],
      heldout: ['What do they make in {s}?', '{s} is known for what?'],
    },
  },
  market: {
    of: 'town',
    value: 'weekday',
    noun: 'market day',
    statements: [
      'The market of {s} is on {v}.',
      'The market day of {s} is {v}.',
      'In {s} there is a market every {v}.',
    ],
    questions: {
      train: ['On which day is the market of {s}?', 'When is the market of {s}?', 'What is the market day of {s}?'],
      heldout: ['In {s}, on which day is the market?', 'Which day is the market day of {s}?'],
    },
  },
  birthplace: {
    of: 'person',
    value: 'town',
    noun: 'birthplace',
    statements: ['{s} was born in {v}.', 'The birthplace of {s} is {v}.', '{s} comes from {v}.'],
    questions: {
      train: ['Where was {s} born?', 'In which town was {s} born?', 'What is the birthplace of {s}?'],
      heldout: ['{s} was born in which town?', 'Which town is the birthplace of {s}?'],
    },
  },
  birth: {
    of: 'person',
    value: 'year',
    noun: 'birth year',
    statements: [
      '{s} was born in the year {v}.',
      'The birth year of {s} is {v}.',
      'The year {v} saw the birth of {s}.',
    ],
    questions: {
      train: ['When was {s} born?', 'In which year was {s} born?', 'What is the birth year of {s}?'],
      heldout: ['{s} was born in which year?', 'What year was {s} born in?'],
    },
  },
  job: {
    of: 'person',
    value: 'job',
    noun: 'job',
    statements: ['{s} works as a {v}.', '{s} is a {v}.', 'The job of {s} is that of a {v}.'],
    questions: {
      train: ['What is the job of {s}?', 'What does {s} work as?', 'What is {s} by trade?'],
      heldout: ['As what does {s} work?', 'Which job does {s} have?'],
    },
  },
  home: {
    of: 'person',
    value: 'town',
    noun: 'home',
    statements: ['{s} lives in {v}.', 'The home of {s} is in {v}.', '{s} has a house in {v}.'],
    questions: {
      train: ['Where does {s} live?', 'In which town does {s} live?', 'Where is the home of {s}?'],
      heldout: ['{s} lives in which town?', 'Which town is the home of {s}?'],
    },
  },
  teacher: {
    of: 'person',
    value: 'person',
    noun: 'teacher',
    statements: [
      'The teacher of {s} was {v}.',
      '{s} learned from {v}.',
      '{s} had a teacher, {v}.',
      '{v} was the teacher of {s}.',
    ],
    questions: {
      train: ['Who was the teacher of {s}?', 'From whom did {s} learn?', 'Who taught {s}?'],
      heldout: ['{s} learned from whom?', 'What is the name of the teacher of {s}?'],
    },
  },
  source: {
    of: 'river',
    value: 'mountain',
    noun: 'source',
    statements: ['The {s} rises on {v}.', 'The source of the {s} is on {v}.', 'The river {s} comes from {v}.'],
    questions: {
      train: ['Where does the {s} rise?', 'On which mountain does the {s} rise?', 'Where is the source of the {s}?'],
      heldout: ['The {s} rises on which mountain?', 'From which mountain does the {s} come?'],
    },
  },
  mouth: {
    of: 'river',
    value: 'lake',
    noun: 'mouth',
    statements: ['The {s} flows into {v}.', 'The mouth of the {s} is at {v}.', 'The river {s} ends in {v}.'],
    questions: {
      train: ['Where does the {s} end?', 'Into which lake does the {s} flow?', 'Where is the mouth of the {s}?'],
      heldout: ['The {s} flows into which lake?', 'In which lake does the {s} end?'],
    },
  },
  length: {
    of: 'river',
    value: 'length',
    noun: 'length',
    statements: ['The {s} is {v} long.', 'The length of the {s} is {v}.', 'The river {s} runs for {v}.'],
    questions: {
      train: ['How long is the {s}?', 'What is the length of the {s}?', 'For how many miles does the {s} run?'],
      heldout: ['How many miles long is the {s}?', 'The {s} is how long?'],
    },
  },
  place: {
    of: 'building',
    value: 'town',
    noun: 'town',
    statements: ['{s} stands in {v}.', '{s} is a building in {v}.', 'The town of {s} is {v}.'],
    questions: {
      train: ['Where is {s}?', 'In which town does {s} stand?', 'What is the town of {s}?'],
      heldout: ['{s} stands in which town?', 'Which town is {s} in?'],
    },
  },
  builder: {
    of: 'building',
    value: 'person',
    noun: 'builder',
    statements: [
      '{s} was built by {v}.',
      'The builder of {s} was {v}.',
      '{s} is the work of {v}.',
      '{v} was the builder of {s}.',
    ],
    questions: {
      train: ['Who built {s}?', 'By whom was {s} built?', 'Who was the builder of {s}?'],
      heldout: ['{s} was built by whom?', 'What is the name of the builder of {s}?'],
    },
  },
  built: {
    of: 'building',
    value: 'year',
    noun: 'building year',
    statements: ['{s} was built in {v}.', 'The building year of {s} is {v}.', '{s} was finished in the year {v}.'],
    questions: {
      train: ['When was {s} built?', 'In which year was {s} built?', 'What is the building year of {s}?'],
      heldout: ['{s} was built in which year?', 'What year was {s} finished in?'],
    },
  },
  height: {
    of: 'building',
    value: 'height',
    noun: 'height',
    statements: ['{s} is {v} tall.', 'The height of {s} is {v}.', '{s} rises to {v}.'],
    questions: {
      train: ['How tall is {s}?', 'What is the height of {s}?', 'How many feet tall is {s}?'],
      heldout: ['{s} is how tall?', 'To what height does {s} rise?'],
    },
  },
} as const satisfies Record<string, Attribute>;

export type AttributeName = keyof typeof attributes;

export const attributeNames = Object.keys(attributes) as AttributeName[];

export function attributesOf(kind: EntityKind): AttributeName[] {
  return attributeNames.filter((name) => attributes[name].of === kind);
}

/** "the mayor of Tamova", "the mouth of the Balir"; the subject may be a noun phrase, too. */
export function nounPhrase(attribute: AttributeName, subject: string): string {
  const { noun, of } = attributes[attribute];
  const article = of === 'river' && !subject.startsWith('the ') ? 'the ' : '';
  return `the ${noun} of ${article}${subject}`;
}

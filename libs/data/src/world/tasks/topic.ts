/** What a sentence is about. Half of them mention another topic in passing; the main clause counts. */
import type { Random } from '@crucible/foundation';
import { drawFirstName, drawName } from '../names.ts';
import type { Phrasings } from '../phrasing.ts';
import { capitalized, fill, pickPhrasing } from '../phrasing.ts';
import type { Split } from '../split.ts';
import { drawOnSide } from '../split.ts';
import type { Labelling } from './classification.ts';
import { classificationTask } from './classification.ts';

export const topics = ['food', 'weather', 'sport', 'music', 'travel', 'money'] as const;

export type Topic = (typeof topics)[number];

interface Vocabulary {
  /** Main clauses; `{name}` is a person, `{town}` a town. */
  readonly clauses: Phrasings;
  /** What is mentioned in passing. */
  readonly asides: readonly string[];
}

const vocabularies: Readonly<Record<Topic, Vocabulary>> = {
  food: {
    clauses: {
      train: [
        '{name} cooked a stew of beans',
        '{name} baked a pie with apples',
        'the cook of {town} put honey on the bread',
        '{name} ate a bowl of soup',
        'they fried fish in {town}',
        'the cheese of {town} tastes of salt',
        '{name} cut the cake into eight parts',
        'the bakers of {town} made sweet bread',
      ],
      heldout: ['{name} made soup with beans and salt', 'they ate fish and sweet bread in {town}'],
    },
    asides: ['the meal', 'dinner', 'breakfast', 'a plate of fish', 'the soup', 'a cup of tea'],
  },
  weather: {
    clauses: {
      train: [
        'snow fell on {town}',
        'a cold wind blew through {town}',
        'the sun burned over the hills of {town}',
        'the fog hid the roofs of {town}',
        '{name} saw dark clouds in the sky',
        'rain filled the streets of {town}',
        '{name} felt the frost in the night',
        'thunder rolled over {town}',
      ],
      heldout: ['a cold fog fell on {town}', '{name} saw snow on the hills'],
    },
    asides: ['the storm', 'the rain', 'the frost', 'a long winter', 'the snow', 'the fog'],
  },
  sport: {
    clauses: {
      train: [
        'the team of {town} won the match',
        '{name} ran faster than the others',
        '{name} kicked the ball over the wall',
        'the players of {town} trained hard',
        '{name} won the race by a step',
        'the wrestlers of {town} lost again',
        '{name} swam across and won a medal',
        'the runners of {town} scored twice',
      ],
      heldout: ['{name} kicked the ball and scored', 'the team of {town} ran and won a medal'],
    },
    asides: ['the match', 'the race', 'the training', 'the game', 'a long run', 'the final'],
  },
  music: {
    clauses: {
      train: [
        '{name} sang an old song',
        '{name} played the flute',
        'the choir of {town} sang in the dark',
        'a drum was heard in {town}',
        '{name} tuned the violin',
        'the band of {town} played a waltz',
        '{name} wrote a song with three verses',
        'the pipes of {town} sounded low',
      ],
      heldout: ['the band of {town} sang a song', '{name} played a waltz on the violin'],
    },
    asides: ['the concert', 'the song', 'the dance', 'the opera', 'a slow waltz', 'the singing'],
  },
  travel: {
    clauses: {
      train: [
        '{name} took the coach to {town}',
        '{name} sailed to {town}',
        'the road to {town} took two days',
        '{name} packed a bag and left {town}',
        '{name} rode over the hills to {town}',
        'the guests arrived in {town} by boat',
        '{name} walked from {town} to the coast',
        'the ship to {town} left the harbour',
      ],
      heldout: ['{name} sailed from {town} to the coast', '{name} left {town} by coach'],
    },
    asides: ['the journey', 'the voyage', 'the long ride', 'the trip', 'the tour', 'the crossing'],
  },
  money: {
    clauses: {
      train: [
        '{name} paid forty coins',
        'the bank of {town} lent {name} silver',
        '{name} owes the merchant gold',
        'the price of land rose in {town}',
        '{name} saved every coin',
        'the taxes of {town} went up',
        'the traders of {town} lost their savings',
        '{name} bought a house in {town} on credit',
      ],
      heldout: ['{name} paid the bank of {town} in gold', 'the merchant lost forty coins in {town}'],
    },
    asides: ['the sale', 'the payment', 'pay day', 'the auction', 'the bargain', 'the tax'],
  },
};

const links = ['after', 'before', 'because of', 'in spite of'];

const labellings: readonly Labelling<Topic>[] = [
  {
    labels: { food: 'food', weather: 'weather', sport: 'sport', music: 'music', travel: 'travel', money: 'money' },
    questions: {
      train: [
        'What is this about: {labels}? {text}',
        '{text}\nTopic ({labels}):',
        'Is this text about {labels}? {text}',
        '{text}\nWhat is the topic? Choose from {labels}.',
        'Name the topic of this text. {text}',
        '{text}\nTopic:',
      ],
      heldout: ['What is the topic of this text: {labels}? {text}', '{text}\nIs this about {labels}?'],
    },
  },
  {
    labels: { food: 'meals', weather: 'climate', sport: 'games', music: 'songs', travel: 'trips', money: 'trade' },
    questions: {
      train: [
        'Does this belong to {labels}? {text}',
        '{text}\nIt belongs to one of {labels}. Which?',
        'Choose from {labels}. {text}',
      ],
      heldout: ['{text}\nDoes this belong to {labels}?', 'It belongs to one of {labels}. {text}\nWhich?'],
    },
  },
];

export const topic = classificationTask(labellings, ({ split, random }) => {
  const about = random.pick(topics);
  return { text: drawTopicSentence(about, split, random), class: about };
});

/** A sentence about the topic whose main clause may be met in `split`. */
export function drawTopicSentence(about: Topic, split: Split, random: Random): string {
  const clause = drawOnSide(
    split,
    () => drawClause(about, split, random),
    (text) => `topic ${text}`,
  );
  if (random.boolean()) return `${capitalized(clause)}.`;
  const other = random.pick(topics.filter((name) => name !== about));
  const aside = `${random.pick(links)} ${random.pick(vocabularies[other].asides)}`;
  return random.boolean() ? `${capitalized(clause)} ${aside}.` : `${capitalized(aside)}, ${clause}.`;
}

function drawClause(about: Topic, split: Split, random: Random): string {
  return fill(pickPhrasing(vocabularies[about].clauses, split, random), {
    name: drawFirstName(split, random),
    town: drawName('town', split, random),
  });
}

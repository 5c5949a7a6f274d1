/** Statements about lists: what they are in another order, how many things they hold, what kind of things those are. */
import { drawListOnSide, drawNumbers, drawWords, listed, sorted } from '../lists.ts';
import { capitalized, enumerate } from '../phrasing.ts';
import type { Draw } from '../task.ts';
import { thingKinds, things } from '../things.ts';

export function drawLists(draw: Draw): string {
  const statements = draw.random.sample([...wordStatements(draw), ...otherStatements(draw)], 4);
  return statements.join('\n');
}

function wordStatements({ split, random }: Draw): string[] {
  const words = drawWords(split, random, 2, 5);
  return [
    `The words: ${listed(words)}. Backwards: ${listed(words.toReversed())}.`,
    `The words: ${listed(words)}. By the alphabet: ${listed(sorted(words))}.`,
    `The words: ${listed(words)}. These are ${words.length} words.`,
    `The words: ${listed(words)}. The first word: ${words[0]}. The last word: ${words.at(-1)}.`,
    `The words: ${words.join(' ')}. Again: ${words.join(' ')}. In capital letters: ${words.join(' ').toUpperCase()}.`,
  ];
}

function otherStatements({ split, random }: Draw): string[] {
  const numbers = drawNumbers(split, random);
  const kind = random.pick(thingKinds);
  const members = drawListOnSide(split, () => random.sample(things[kind], random.integer(2, 4)));
  const word = random.pick(things[kind]);
  return [
    `The numbers: ${listed(numbers)}. From small to large: ${listed(sorted(numbers))}.`,
    `The numbers: ${listed(numbers)}. The smallest: ${sorted(numbers)[0]}. The largest: ${sorted(numbers).at(-1)}.`,
    `${capitalized(enumerate(members, 'and'))} are ${kind}.`,
    `${capitalized(kind)}: ${listed(members)}. The word ${word} begins with ${word.charAt(0)}.`,
  ];
}

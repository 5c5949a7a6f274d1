/** The texts are short enough for small models: a vocabulary of 3,072 tokens, a context of 256. */
import { Random } from '@crucible/foundation';
import { trainBpe } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import type { Example, Format, TaskName } from './example.ts';
import { taskNames } from './example.ts';
import type { Split } from './split.ts';
import { createWorld, formatsOf } from './world.ts';

const world = createWorld();

function textsOf({ messages, response }: Example): string[] {
  return [...messages.map(({ content }) => content), response];
}

const random = Random.seeded(71);
const corpus = [
  ...Array.from({ length: 3000 }, () => world.document(random)),
  ...Array.from({ length: 3000 }, () => textsOf(world.example({ split: 'train', random })).join('\n')),
];
const tokenizer = await trainBpe(corpus, { vocabSize: 3072 });

/** In tokens, with two special ones a message. */
function lengths(task: TaskName, format: Format, split: Split, count: number): number[] {
  return Array.from({ length: count }, () => {
    const texts = textsOf(world.example({ task, format, split, random }));
    return texts.reduce((sum, text) => sum + tokenizer.encode(text).length + 2, 0);
  }).sort((a, b) => a - b);
}

describe('examples', () => {
  const cases = taskNames.flatMap((task) => formatsOf(task).map((format) => ({ task, format })));

  it.each(cases)('fit into the context, most of them several times: $task, $format', ({ task, format }) => {
    const most = task === 'multihop' ? 220 : 160;
    for (const split of ['train', 'unseen'] as const) {
      const sorted = lengths(task, format, split, 400);
      expect(sorted[Math.floor(sorted.length * 0.95)]).toBeLessThanOrEqual(most);
      expect(sorted.at(-1)).toBeLessThanOrEqual(256);
    }
  });
});

describe('the vocabulary', () => {
  it('is small: fewer than a thousand words, and names', () => {
    const words = new Set(corpus.join('\n').match(/\b\p{Ll}+\b/gu));
    expect(words.size).toBeLessThan(1000);
  });
});

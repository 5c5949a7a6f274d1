import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GenerationEngine } from '@crucible/inference';
import { temporaryFolder } from '@crucible/testing';
import { trainBpe } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import { readUserData, type UserFiles } from './user-data.ts';

const questions = Array.from({ length: 40 }, (_, i) => `Is ${i} a number?`);
const instructions = questions.map((question) => ({ question, answer: 'yes' }));
const preferences = questions.map((question) => ({ question, chosen: 'yes', rejected: 'no' }));

/** Rows as files beside a corpus of one document. */
function userFiles(rows: Partial<Record<'instructions' | 'preferences', readonly unknown[]>>): UserFiles {
  const folder = temporaryFolder();
  const corpus = join(folder, 'corpus');
  mkdirSync(corpus);
  writeFileSync(join(corpus, 'a.txt'), 'Nobody says so here.\n'.repeat(100));
  const fileOf = (name: 'instructions' | 'preferences'): string[] => {
    if (rows[name] === undefined) return [];
    const path = join(folder, `${name}.jsonl`);
    writeFileSync(path, rows[name].map((row) => `${JSON.stringify(row)}\n`).join(''));
    return [path];
  };
  return { corpus: [corpus], instructions: fileOf('instructions'), preferences: fileOf('preferences') };
}

describe('readUserData()', () => {
  it('teaches the answers and their end, and nothing else of a conversation', async () => {
    const data = await readUserData(userFiles({ instructions }));
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: 300 });
    const { targets, weights } = data.chats!(tokenizer, 1).batch(0, 2, 128);
    const learned = targets.data.filter((_id, i) => weights.data[i]! > 0);
    expect(tokenizer.decode([...learned])).toMatch(/^(yes<\|end\|>)+$/);
  });

  it('trains the tokenizer on questions and answers as well as on the corpus', async () => {
    const data = await readUserData(userFiles({ instructions }));
    const texts = [...data.tokenizerTexts()];
    expect(texts).toContain('Is 7 a number?');
    expect(texts).toContain('yes');
    expect(texts.join('')).toContain('Nobody says so here.');
  });

  it('measures on questions that are in no training batch', async () => {
    const data = await readUserData(userFiles({ instructions, preferences }));
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: 300 });
    const { train, heldOut } = data.prompts!(tokenizer, 1);
    const distinct = (source: typeof train): Set<string> =>
      new Set(source(0, 200, 100).map((prompt) => tokenizer.decode([...prompt])));
    expect(distinct(train).intersection(distinct(heldOut))).toEqual(new Set());
    expect(distinct(train).union(distinct(heldOut)).size).toBe(questions.length);
  });

  it('compares answers in the order in which people put them', async () => {
    const data = await readUserData(userFiles({ instructions, preferences }));
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: 300 });
    const { source } = await data.preferences!(tokenizer, 1, new GenerationEngine());
    for (const group of source.groups(0, 5)) {
      const answers = group.map(({ ids, score }) => [
        score,
        tokenizer
          .decode([...ids])
          .split('\n')
          .at(-1)!,
      ]);
      expect(answers).toEqual([
        [1, expect.stringMatching(/yes<\|end\|>$/)],
        [0, expect.stringMatching(/no<\|end\|>$/)],
      ]);
    }
  });

  it('says what is missing before any work begins', async () => {
    const files = userFiles({ instructions, preferences });
    await expect(readUserData({ ...files, corpus: [] })).rejects.toThrow(
      'a corpus is needed: folders or files of text to pre-train on',
    );
    await expect(readUserData({ ...files, instructions: [] })).rejects.toThrow(
      'instructions are needed too: the reward model begins as the model that was fine-tuned on them',
    );
    const [pair] = preferences;
    await expect(readUserData(userFiles({ instructions, preferences: [pair] }))).rejects.toThrow(
      'preferences: 1 are too few to hold some out',
    );
  });
});

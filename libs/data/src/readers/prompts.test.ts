import { describe, expect, it } from 'vitest';
import { readPrompts } from './prompts.ts';
import { all } from './testing/all.ts';
import { rowsFile, sharedData } from './testing/files.ts';

const user = (content: string) => ({ role: 'user', content }) as const;
const assistant = (content: string) => ({ role: 'assistant', content }) as const;

describe('readPrompts', () => {
  it('takes the question out of rows of any shape', async () => {
    const rows = [
      { messages: [user('p'), assistant('a')] },
      { messages: [user('p')] },
      { prompt: 'p', completion: 'a' },
      { prompt: 'p' },
      { prompt: [user('p')], chosen: 'a', rejected: 'b' },
      { question: 'p', answer: 'a', score: 1 },
      { question: 'p', answers: [] },
      { instruction: 'p', input: '', output: 'a' },
      { chosen: [user('p'), assistant('a')], rejected: [user('p'), assistant('b')] },
      { chosen: '\n\nHuman: p\n\nAssistant: a', rejected: '\n\nHuman: p\n\nAssistant: b' },
    ];
    const path = rowsFile(rows);
    const records = await all(readPrompts(path));
    expect(records).toEqual(rows.map((_row, i) => ({ messages: [user('p')], at: `${path}:${i + 1}` })));
  });

  it('says what is wrong', async () => {
    const path = rowsFile([{ text: 'p' }]);
    await expect(all(readPrompts(path))).rejects.toThrow(
      `${path}:1: has the fields "text"; allowed are messages, prompt, question, instruction or chosen`,
    );
    const alone = rowsFile([{ messages: [assistant('a')] }]);
    await expect(all(readPrompts(alone))).rejects.toThrow(
      `${alone}:1: messages: has an answer and nothing that it answers`,
    );
  });

  const mixture = sharedData('instructions/t0-mixture.jsonl.gz');

  it.skipIf(mixture.isMissing)('reads all prompts of T0 (needs ../shared/data)', async () => {
    let count = 0;
    for await (const { messages } of readPrompts(mixture.path)) {
      expect(messages).toHaveLength(1);
      count++;
    }
    expect(count).toBe(16_668);
  });
});

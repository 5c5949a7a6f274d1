import { describe, expect, it } from 'vitest';
import { readPreferences } from './preferences.ts';
import { all } from './testing/all.ts';
import { rowsFile, sharedData } from './testing/files.ts';

async function read(...rows: unknown[]): Promise<unknown[]> {
  const records = await all(readPreferences(rowsFile(rows)));
  return records.map(({ at, ...record }) => ({ ...record, line: Number(at.split(':').at(-1)) }));
}

/** The error that a second row causes, without the name of the file. */
async function problem(...rows: unknown[]): Promise<string> {
  const path = rowsFile([{ prompt: 'a', chosen: 'b', rejected: 'c' }, ...rows]);
  const reason: unknown = await all(readPreferences(path)).catch((error: unknown) => error);
  expect(reason).toMatchObject({ code: 'invalid-input', at: `${path}:2` });
  return (reason as Error).message.slice(path.length + 1);
}

const user = (content: string) => ({ role: 'user', content }) as const;
const assistant = (content: string) => ({ role: 'assistant', content }) as const;

describe('pairs', () => {
  const pair = { kind: 'pair', messages: [user('p')], chosen: 'c', rejected: 'r', line: 1 };

  it('are read with a prompt, as texts or as messages', async () => {
    const rows = [
      { prompt: 'p', chosen: 'c', rejected: 'r' },
      { question: 'p', chosen: 'c', rejected: 'r<|endoftext|>' },
      { prompt: [user('p')], chosen: 'c', rejected: [assistant('r')] },
      { prompt: 'p', chosen: [user('p'), assistant('c')], rejected: [user('p'), assistant('r')] },
      { chosen: [user('p'), assistant('c')], rejected: [user('p'), assistant('r')] },
      { chosen: '\n\nHuman: p\n\nAssistant: c', rejected: '\n\nHuman: p\n\nAssistant: r' },
    ];
    for (const row of rows) expect(await read(row)).toEqual([pair]);
  });

  it('are read as dialogues of several turns, whose paragraphs stay', async () => {
    const before = '\n\nHuman: one\n\ntwo\n\nAssistant: three\n\nHuman: four?';
    expect(
      await read({
        chosen: `${before}\n\nAssistant: yes\n\n1. a`,
        rejected: `${before}\n\nAssistant: no\nHuman: or so`,
      }),
    ).toEqual([
      {
        kind: 'pair',
        messages: [user('one\n\ntwo'), assistant('three'), user('four?')],
        chosen: 'yes\n\n1. a',
        rejected: 'no\nHuman: or so',
        line: 1,
      },
    ]);
  });

  it('must differ in the last answer and in nothing else', async () => {
    expect(await problem({ prompt: 'p', chosen: 'c', rejected: 'c ' })).toBe(
      '2: rejected: is the same answer as chosen',
    );
    expect(await problem({ chosen: '\n\nHuman: p\n\nAssistant: c', rejected: '\n\nHuman: q\n\nAssistant: r' })).toBe(
      '2: rejected: differs from chosen before the last answer; the prompt must be the same',
    );
    expect(await problem({ prompt: 'p', chosen: [user('q'), assistant('c')], rejected: 'r' })).toBe(
      '2: chosen: does not begin with the messages of prompt',
    );
    expect(await problem({ prompt: 'p', chosen: 'c' })).toBe('2: rejected: is missing; a text is needed');
    expect(await problem({ prompt: 'p', chosen: 'c', rejected: '' })).toBe('2: rejected: is empty');
    expect(await problem({ prompt: 'p', chosen: 'c', rejected: [user('r')] })).toBe(
      "2: rejected: ends with user; the last message must be the assistant's",
    );
  });

  it('must be dialogues that take turns', async () => {
    const rejected = '\n\nHuman: p\n\nAssistant: r';
    const problems = {
      Hello: 'does not begin with "Human:"',
      '\n\nAssistant: c': 'turn 1 is of Assistant, and Human is due',
      '\n\nHuman: p\n\nHuman: q\n\nAssistant: c': 'turn 2 is of Human, and Assistant is due',
      '\n\nHuman: p\n\nAssistant: ': 'turn 2, of Assistant, is empty',
      '\n\nHuman: p': "ends with Human; the last turn must be the assistant's",
    };
    for (const [chosen, message] of Object.entries(problems)) {
      expect(await problem({ chosen, rejected })).toBe(`2: chosen: ${message}`);
    }
  });
});

describe('graded answers', () => {
  const answers = [
    { text: 'good', score: 1 },
    { text: 'bad', score: -0.5 },
  ];

  it('are read with all answers in one row', async () => {
    const record = { kind: 'graded', messages: [user('p')], answers };
    expect(await read({ prompt: 'p', answers }, { question: 'p', answers, more: 1 })).toEqual([
      { ...record, line: 1 },
      { ...record, line: 2 },
    ]);
  });

  it('are gathered from rows of the same prompt, and come last', async () => {
    expect(
      await read(
        { prompt: 'p', answer: 'good', score: 1 },
        { prompt: 'q', answer: 'x', score: 0 },
        { prompt: 'p', answer: 'bad', score: -0.5 },
        { prompt: 'z', answers },
        { question: 'q', answer: 'y', score: 2 },
      ),
    ).toEqual([
      { kind: 'graded', messages: [user('z')], answers, line: 4 },
      { kind: 'graded', messages: [user('p')], answers, line: 1 },
      {
        kind: 'graded',
        messages: [user('q')],
        answers: [
          { text: 'x', score: 0 },
          { text: 'y', score: 2 },
        ],
        line: 2,
      },
    ]);
  });

  it('must be comparable', async () => {
    expect(await problem({ prompt: 'p', answers: [answers[0]] })).toBe(
      '2: answers: has 1; two or more are needed to compare',
    );
    expect(await problem({ prompt: 'p', answers: [answers[0], { text: 'x', score: 1 }] })).toBe(
      '2: answers: all have the score 1; two different ones are needed to compare',
    );
    expect(await problem({ prompt: 'p', answers: [...answers, { text: 'good', score: 3 }] })).toBe(
      '2: answers[2].text: is the same as answers[0].text',
    );
    expect(await problem({ prompt: 'p', answers: [{ text: 'x', score: '1' }] })).toBe(
      '2: answers[0].score: is not a number',
    );
    expect(await problem({ prompt: 'p', answers: [{ text: '', score: 1 }] })).toBe('2: answers[0].text: is empty');
    expect(await problem({ prompt: 'p', answers: ['x'] })).toBe('2: answers[0]: is not {text, score}');
    expect(await problem({ prompt: 'p', answer: 'x', score: 1 }, { prompt: 'p', answer: 'y', score: 1 })).toBe(
      '2: answers: all have the score 1; two different ones are needed to compare',
    );
    expect(await problem({ prompt: 'p', answer: 'x' })).toBe('2: score: is missing; a number is needed');
    expect(await problem({ prompt: 'p' })).toBe(
      '2: has the fields "prompt"; allowed are prompt, chosen and rejected; chosen and rejected; prompt and answers; or prompt, answer and score (question does for prompt)',
    );
  });
});

describe('real preferences', () => {
  const harmless = sharedData('preferences/hh-harmless.jsonl.gz');

  it.skipIf(harmless.isMissing)('of HH-RLHF are read, but for 9 rows of 1,800 (needs ../shared/data)', async () => {
    const stream = readPreferences(harmless.path, { onInvalid: 'skip' });
    const records = await all(stream);
    expect([records.length, stream.skipped.count]).toEqual([1791, 9]);
    expect(records.every(({ kind, messages }) => kind === 'pair' && messages.at(-1)!.role === 'user')).toBe(true);
    const reasons = stream.skipped.reasons.map((reason) => reason.replace(/^.*gz:(\d+): /, '$1 '));
    expect(reasons).toEqual([
      '584 chosen: turn 3 is of Assistant, and Human is due',
      '711 chosen: turn 2, of Assistant, is empty',
      '864 chosen: turn 2, of Assistant, is empty',
      '988 chosen: turn 5 is of Assistant, and Human is due',
      '1038 chosen: turn 9 is of Assistant, and Human is due',
      '1314 chosen: turn 5 is of Assistant, and Human is due',
      '1446 chosen: turn 5 is of Assistant, and Human is due',
      '1524 rejected: turn 3 is of Assistant, and Human is due',
      '1586 chosen: turn 11 is of Assistant, and Human is due',
    ]);
  });
});

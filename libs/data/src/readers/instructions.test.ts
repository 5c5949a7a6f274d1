import { describe, expect, it } from 'vitest';
import type { InstructionRecord } from './instructions.ts';
import { readInstructions } from './instructions.ts';
import type { ReadRowsOptions } from './record-stream.ts';
import { all } from './testing/all.ts';
import { rowsFile, sharedData } from './testing/files.ts';

async function read(
  rows: readonly unknown[],
  options?: ReadRowsOptions,
  name?: string,
): Promise<Omit<InstructionRecord, 'at'>[]> {
  const records = await all(readInstructions(rowsFile(rows, name), options));
  return records.map(({ messages, response }) => ({ messages, response }));
}

/** The error that a second row causes, without the name of the file. */
async function problem(row: unknown, options?: ReadRowsOptions): Promise<string> {
  const path = rowsFile([{ prompt: 'a', completion: 'b' }, row]);
  const reason: unknown = await all(readInstructions(path, options)).catch((error: unknown) => error);
  expect(reason).toMatchObject({ code: 'invalid-input', at: `${path}:2` });
  return (reason as Error).message.slice(path.length + 1);
}

const user = (content: string) => ({ role: 'user', content }) as const;

describe('readInstructions', () => {
  it('reads rows of every shape, and passes over other fields', async () => {
    const conversation = [
      { role: 'system', content: 'Be kind.' },
      user('Hi'),
      { role: 'assistant', content: 'Hello' },
      user('Bye'),
    ];
    expect(
      await read([
        { messages: [...conversation, { role: 'assistant', content: 'Goodbye', name: 'x' }] },
        { prompt: 'a', completion: 'b', cluster: 'x' },
        { instruction: 'Sort.', input: 'b a', output: 'a b' },
        { instruction: 'Sort.', input: '', output: 'a b' },
        { instruction: 'Sort.', output: 'a b' },
        { question: 'q', answer: 'a' },
      ]),
    ).toEqual([
      { messages: conversation, response: 'Goodbye' },
      { messages: [user('a')], response: 'b' },
      { messages: [user('Sort.\n\nb a')], response: 'a b' },
      { messages: [user('Sort.')], response: 'a b' },
      { messages: [user('Sort.')], response: 'a b' },
      { messages: [user('q')], response: 'a' },
    ]);
  });

  it('takes off the end-of-text token and white space at the end of an answer', async () => {
    const answers = ['b<|endoftext|>', 'b\n<|endoftext|><|endoftext|>\n', ' b <|endoftext|> b'];
    const records = await read(answers.map((completion) => ({ prompt: 'a', completion })));
    expect(records.map(({ response }) => response)).toEqual(['b', 'b', ' b <|endoftext|> b']);
  });

  it('reads compressed files, blank lines, \\r\\n and a byte order mark', async () => {
    const rows = ['\ufeff{"prompt":"a","completion":"b"}\r', '', '  \r', '{"prompt":"c","completion":"d"}'];
    expect(await read(rows, {}, 'rows.jsonl.gz')).toEqual([
      { messages: [user('a')], response: 'b' },
      { messages: [user('c')], response: 'd' },
    ]);
  });

  it('says where every record comes from', async () => {
    const path = rowsFile(['', { prompt: 'a', completion: 'b' }]);
    expect((await all(readInstructions(path)))[0]!.at).toBe(`${path}:2`);
  });

  it('says which field of which line is wrong, and what is allowed', async () => {
    expect(await problem({ prompt: 'a' })).toBe('2: completion: is missing; a text is needed');
    expect(await problem({ prompt: 3, completion: 'b' })).toBe('2: prompt: is not a text');
    expect(await problem({ prompt: ' ', completion: 'b' })).toBe('2: prompt: is empty');
    expect(await problem({ prompt: 'a', completion: '<|endoftext|>' })).toBe('2: completion: is empty');
    expect(await problem({ instruction: 'a', input: 1, output: 'b' })).toBe('2: input: is not a text');
    expect(await problem({ messages: [] })).toBe('2: messages: has no messages');
    expect(await problem({ messages: 'a' })).toBe('2: messages: is not a list of messages');
    expect(await problem({ messages: [user('a'), { role: 'bot', content: 'b' }] })).toBe(
      '2: messages[1].role: "bot" is not a role; roles are system, user, assistant, tool',
    );
    expect(await problem({ messages: [user('a'), { role: 'assistant', content: ['b'] }] })).toBe(
      '2: messages[1].content: is not a text',
    );
    expect(await problem({ messages: [user('a')] })).toBe(
      "2: messages: ends with user; the last message must be the assistant's",
    );
    expect(await problem({ messages: [{ role: 'assistant', content: 'b' }] })).toBe(
      '2: messages: has an answer and nothing that it answers',
    );
    expect(await problem({ text: 'a', label: 1 })).toBe(
      '2: has the fields "text", "label"; allowed are messages, prompt and completion, instruction and output (and input), or question and answer',
    );
    expect(await problem('[1]')).toBe('2: is not a JSON object');
    expect(await problem('{"prompt": ')).toMatch(/^2: is not JSON: /);
    expect(await problem({ prompt: 'a', completion: 'b'.repeat(100) }, { maxRowBytes: 60 })).toBe(
      '2: the row is longer than 60 bytes',
    );
  });

  it('leaves out and counts rows that break the rules, if asked to', async () => {
    const path = rowsFile([{ prompt: 'a' }, { prompt: 'a', completion: 'b' }, 'x', { prompt: 'c', completion: 'd' }]);
    const records = readInstructions(path, { onInvalid: 'skip' });
    expect(await all(records)).toHaveLength(2);
    expect(records.skipped.count).toBe(2);
    expect(records.skipped.reasons[0]).toBe(`${path}:1: completion: is missing; a text is needed`);
    // Once more from the beginning.
    expect(await all(records)).toHaveLength(2);
    expect(records.skipped.count).toBe(2);
  });

  it('says when nothing is left', async () => {
    const path = rowsFile(['{}', '[]']);
    await expect(all(readInstructions(path, { onInvalid: 'skip' }))).rejects.toThrow(
      `${path}: all its 2 rows break the rules; the first: ${path}:1: has the fields (none); allowed are`,
    );
    const empty = rowsFile(['', '']);
    await expect(all(readInstructions(empty))).rejects.toThrow(`${empty}: has no rows`);
  });

  it('can be cancelled', async () => {
    const path = rowsFile([{ prompt: 'a', completion: 'b' }]);
    await expect(all(readInstructions(path, { signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: 'cancelled',
      message: `reading ${path} was cancelled`,
    });
  });

  it('refuses other files and limits that are none at once', () => {
    expect(() => readInstructions('a.csv')).toThrow('a.csv: is neither a .jsonl nor a .jsonl.gz file');
    expect(() => readInstructions('a.jsonl', { maxRowBytes: 0.5 })).toThrow(
      'maxRowBytes: 0.5 is not a whole number above 1',
    );
  });
});

describe('real instructions', () => {
  const mixture = sharedData('instructions/t0-mixture.jsonl.gz');
  const gsm8k = sharedData('math/gsm8k-test.jsonl');

  it.skipIf(mixture.isMissing)('of T0 are read, but for 420 empty completions (needs ../shared/data)', async () => {
    const stream = readInstructions(mixture.path, { onInvalid: 'skip' });
    let count = 0;
    for await (const { response } of stream) {
      expect(response).not.toMatch(/<\|endoftext\|>|^\s*$/);
      count++;
    }
    expect([count, stream.skipped.count]).toEqual([16_668 - 420, 420]);
    expect(stream.skipped.reasons[0]).toMatch(/jsonl\.gz:\d+: completion: is empty$/);
  });

  it.skipIf(gsm8k.isMissing)('of GSM8K are read (needs ../shared/data)', async () => {
    expect(await all(readInstructions(gsm8k.path))).toHaveLength(1319);
  });
});

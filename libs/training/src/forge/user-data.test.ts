import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Generation, GenerationEngine, type GenerationRequest } from '@crucible/inference';
import { temporaryFolder, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { type Tokenizer, trainBpe } from '@crucible/tokenizer';
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

/** An engine that keeps the prompts and always says yes. */
class Listener extends GenerationEngine {
  readonly prompts: string[] = [];
  readonly #tokenizer: Tokenizer;

  constructor(tokenizer: Tokenizer) {
    super();
    this.#tokenizer = tokenizer;
    this.setModel({ weights: tinyLlama(1), config: { ...tinyLlamaConfig, maxPositions: 256 }, version: 1 });
  }

  override generateAll(requests: readonly GenerationRequest[]): Promise<Generation[]> {
    this.prompts.push(...requests.map(({ prompt }) => this.#tokenizer.decode([...prompt])));
    const tokens = this.#tokenizer.encode('yes').map((id) => ({ id, logProbability: 0, alternatives: [] }));
    return Promise.resolve(requests.map(() => ({ version: 1, tokens, finish: 'stop' })));
  }
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

  it('asks every question once an epoch, whatever the length of an iteration', async () => {
    const data = await readUserData(userFiles({ instructions, preferences }));
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: 300 });
    const { train } = data.prompts!(tokenizer, 1);
    const asked = Array.from({ length: 40 }, (_, n) => train(n, 5, 100)).flat();
    const distinct = new Set(asked.map(String)).size;
    for (let epoch = 0; epoch * distinct < asked.length - distinct; epoch++) {
      expect(new Set(asked.slice(epoch * distinct, (epoch + 1) * distinct).map(String)).size).toBe(distinct);
    }
    // The same when the iterations before were run by a process that is gone.
    expect(data.prompts!(tokenizer, 1).train(17, 5, 100)).toEqual(asked.slice(85, 90));
  });

  it('measures on questions from all over a file that is sorted by kind, on the same ones every time', async () => {
    const sorted = Array.from({ length: 400 }, (_, i) => ({ question: `Is ${i} below 200?`, answer: 'yes' }));
    const data = await readUserData(userFiles({ instructions: sorted }));
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: 300 });
    const numbersAsked = async (): Promise<number[]> => {
      const engine = new Listener(tokenizer);
      const { exact } = await data.evaluate!(engine, tokenizer, { count: 12 });
      expect(exact).toBe(1);
      return engine.prompts.map((prompt) => Number(/\d+/.exec(prompt)![0]));
    };
    const asked = await numbersAsked();
    expect(asked).toHaveLength(12);
    const low = asked.filter((number) => number < 200).length;
    expect(low).toBeGreaterThan(1);
    expect(low).toBeLessThan(11);
    expect(await numbersAsked()).toEqual(asked);
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

function write(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

function rows(name: string, values: readonly unknown[]): string {
  return write(name, values.map((value) => `${typeof value === 'string' ? value : JSON.stringify(value)}\n`).join(''));
}

const lines = Array.from({ length: 200 }, (_, i) => `Satz ${i}: Grüße aus Köln, 鉄は熱い.\n`);

function files(given: Partial<UserFiles> = {}): UserFiles {
  return { corpus: [write('corpus.txt', lines.join(''))], instructions: [], preferences: [], ...given };
}

async function messageOf(given: Partial<UserFiles>): Promise<string> {
  try {
    await readUserData(files(given));
  } catch (reason) {
    expect(reason).toMatchObject({ name: 'CrucibleError' });
    return (reason as Error).message;
  }
  throw new Error('there was no error');
}

const [question] = instructions;
const [pair] = preferences;

describe('a forge on wrong files stops before any work, with an error that names', () => {
  it('the corpus that is empty', async () => {
    const path = write('empty.txt', ' \n\n');
    expect(await messageOf({ corpus: [path] })).toBe(`${path}: holds no text`);
    const folder = temporaryFolder();
    expect(await messageOf({ corpus: [folder] })).toBe(`${folder}: there is no .txt or .md file in it`);
    expect(await messageOf({ corpus: [join(folder, 'none.txt')] })).toBe(
      `${folder}/none.txt: there is no such file or folder`,
    );
    expect(await messageOf({ corpus: [] })).toBe('a corpus is needed: folders or files of text to pre-train on');
  });

  it('the corpus that is no UTF-8, and the place', async () => {
    const path = write('latin.txt', Buffer.from('Gr\u00fc\u00dfe\nund mehr\n', 'latin1'));
    expect(await messageOf({ corpus: [path] })).toMatch(new RegExp(`^${path}: byte 2 .*UTF-8`));
  });

  it('the corpus that has nothing to hold out', async () => {
    const path = write('short.txt', 'one line alone');
    expect(await messageOf({ corpus: [path] })).toBe(
      `${path}: too short; the last 3 % of each text, from the beginning of a line on, are held out to measure on, and there is no such line`,
    );
  });

  it('the line of instructions that is broken', async () => {
    const path = rows('chats.jsonl', [question, question, '{"question": "How', question]);
    expect(await messageOf({ instructions: [path] })).toMatch(new RegExp(`^${path}:3: is not JSON: `));
  });

  it('the line of instructions whose shape is unknown, and the shapes that are known', async () => {
    const path = rows('chats.jsonl', [question, { text: 'no' }]);
    expect(await messageOf({ instructions: [path] })).toMatch(new RegExp(`^${path}:2: .*question`));
  });

  it('the preference whose answers are equal', async () => {
    const path = rows('pairs.jsonl', [pair, { prompt: 'Why?', chosen: 'So.', rejected: 'So.' }]);
    expect(await messageOf({ preferences: [path] })).toBe(`${path}:2: rejected: is the same answer as chosen`);
  });

  it('the graded answers that are all of one score', async () => {
    const answers = [
      { text: 'a', score: 1 },
      { text: 'b', score: 1 },
    ];
    const path = rows('graded.jsonl', [{ prompt: 'Why?', answers }]);
    expect(await messageOf({ preferences: [path] })).toBe(
      `${path}:1: answers: all have the score 1; two different ones are needed to compare`,
    );
  });
});

it('leaves out and counts broken rows where it is told to', async () => {
  const path = rows('chats.jsonl', [...instructions, 'broken', { text: 'no' }]);
  const notices: string[] = [];
  const data = await readUserData(files({ instructions: [path] }), {
    onInvalid: 'skip',
    onNotice: (notice) => notices.push(notice),
  });
  expect(notices).toEqual([`${path}: 2 rows break the rules and were left out`]);
  expect(data.description).toBe('1 documents, 40 instructions, 0 preferences');
});

it('ends the forge after the stage that there is data for', async () => {
  const stages = async (given: Parameters<typeof userFiles>[0]): Promise<boolean[]> => {
    const data = await readUserData(userFiles(given));
    return [data.chats, data.preferences, data.prompts, data.evaluate].map((part) => part !== undefined);
  };
  expect(await stages({})).toEqual([false, false, false, false]);
  expect(await stages({ instructions })).toEqual([true, false, false, true]);
  expect(await stages({ instructions, preferences })).toEqual([true, true, true, true]);
});

describe('the corpus that is learned and the one that is measured on', () => {
  it('share no line and lose none; bytes are those of UTF-8', async () => {
    const data = await readUserData(files());
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: 300 });
    const train = [...data.tokenizerTexts()].join('');
    const { source, validation } = data.text(tokenizer, 1);
    const [first, ...held] = validation.tokens;
    expect(first).toBe(tokenizer.bosId ?? tokenizer.eosId);
    const heldOut = tokenizer.decode(held);
    expect(train + heldOut).toBe(lines.join(''));
    expect(heldOut.split('\n').length).toBeGreaterThan(3);
    expect(validation.bytes).toBe(new TextEncoder().encode(heldOut).length);
    // Every batch comes from the training side.
    for (let step = 0; step < 20; step++) {
      const text = tokenizer.decode(Array.from(source.batch(step, 1, 16).ids.data), { skipSpecialTokens: true });
      expect(train).toContain(text.replaceAll('\ufffd', ''));
    }
  });
});

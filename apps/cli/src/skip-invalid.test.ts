import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { expect, it } from 'vitest';
import { crucible } from './testing/crucible.ts';

/** A home, and files of which one has a broken row. */
function setUp() {
  const home = temporaryFolder();
  const file = (name: string, lines: readonly string[]): string => {
    const path = join(home, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  const lines = Array.from({ length: 200 }, (_, i) => `Line ${i} says ${i * 7}.`);
  const rows = Array.from({ length: 60 }, (_, i) => JSON.stringify({ question: `Is ${i} even?`, answer: 'Perhaps.' }));
  const pairs = rows.map((_, i) => JSON.stringify({ question: `Is ${i} even?`, chosen: 'Yes.', rejected: 'No.' }));
  const preferences = file('pairs.jsonl', [...pairs, 'broken']);
  const instructions = file('chats.jsonl', [...rows, 'broken']);
  const corpus = file('text.txt', lines);
  const short = ['--set', 'pretrain.steps=1', '--set', 'sft.steps=1', '--set', 'evaluation=1'];
  return {
    instructions,
    preferences,
    corpus,
    run: (...args: readonly string[]) => crucible(['--home', home, ...args]),
    forge: ['forge', '--corpus', corpus, '--instructions', instructions, '--preset', 'smoke', ...short],
    leftOut: (path: string) => `${path}: 1 row breaks the rules and was left out\n`,
  };
}

it('crucible forge --skip-invalid says how many rows of which file it left out', async () => {
  const { run, forge, instructions, leftOut } = setUp();
  const { code, stderr } = await run(...forge, '--skip-invalid');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(leftOut(instructions)) as string });
});

it('crucible train takes it for every stage that reads rows', async () => {
  const { run, corpus, instructions, preferences, leftOut } = setUp();
  const made = await run(
    'train',
    'pretrain',
    '--name',
    'base',
    '--corpus',
    corpus,
    '--preset',
    'smoke',
    '--set',
    'steps=1',
  );
  expect(made.code).toBe(0);
  const sft = [
    'train',
    'sft',
    '--name',
    'chat',
    '--base',
    'base',
    '--instructions',
    instructions,
    '--set',
    'steps=1',
    '--set',
    'rows=1',
  ];
  expect(await run(...sft, '--json')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${instructions}:61: `) as string,
  });
  const skipping = ['--skip-invalid', '--set', 'data={}', '--json'];
  expect(await run(...sft, ...skipping)).toMatchObject({ code: 0, stderr: leftOut(instructions) });
  const reward = [
    'train',
    'reward',
    '--name',
    'judge',
    '--base',
    'chat',
    '--preferences',
    preferences,
    '--set',
    'steps=1',
    '--set',
    'groups=1',
  ];
  expect(await run(...reward, ...skipping)).toMatchObject({ code: 0, stderr: leftOut(preferences) });
  const short = ['iterations=1', 'samples=4', 'minibatches=1', 'maxTokens=4'].flatMap((option) => ['--set', option]);
  const models = ['--base', 'chat', '--reward-model', 'judge'];
  const ppo = ['train', 'ppo', '--name', 'better', ...models, '--prompts', instructions, ...short];
  expect(await run(...ppo, ...skipping)).toMatchObject({ code: 0, stderr: leftOut(instructions) });
});

it('says so beside the result, where a program reads that', async () => {
  const { run, forge, instructions, leftOut } = setUp();
  const ending = await run(...forge, '--skip-invalid', '--json');
  expect(ending).toMatchObject({ code: 0, stderr: leftOut(instructions) });
  expect(JSON.parse(ending.stdout)).toMatchObject({
    models: [expect.stringMatching(/^crucible-a@/), expect.stringMatching(/^crucible-b@/)],
  });
});

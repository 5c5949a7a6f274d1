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
  const rows = Array.from({ length: 20 }, (_, i) => JSON.stringify({ question: `Is ${i} even?`, answer: 'Perhaps.' }));
  const instructions = file('chats.jsonl', [...rows, 'broken']);
  const corpus = file('text.txt', lines);
  const short = ['--set', 'pretrain.steps=1', '--set', 'sft.steps=1', '--set', 'evaluation=1'];
  return {
    instructions,
    corpus,
    run: (...args: readonly string[]) => crucible(['--home', home, ...args]),
    forge: ['forge', '--corpus', corpus, '--instructions', instructions, '--preset', 'smoke', ...short],
    leftOut: `${instructions}: 1 row breaks the rules and was left out\n`,
  };
}

it('crucible forge --skip-invalid says how many rows of which file it left out', async () => {
  const { run, forge, leftOut } = setUp();
  const { code, stderr } = await run(...forge, '--skip-invalid');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(leftOut) as string });
});

it('says so beside the result, where a program reads that', async () => {
  const { run, forge, leftOut } = setUp();
  const ending = await run(...forge, '--skip-invalid', '--json');
  expect(ending).toMatchObject({ code: 0, stderr: leftOut });
  expect(JSON.parse(ending.stdout)).toMatchObject({
    models: [expect.stringMatching(/^crucible-a@/), expect.stringMatching(/^crucible-b@/)],
  });
});

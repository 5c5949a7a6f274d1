import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initEncoder } from '@crucible/nn';
import { temporaryFolder } from '@crucible/testing';
import { saveTokenizer, trainWordPiece } from '@crucible/tokenizer';
import { encoderConfigOf, mlmDefaults } from '@crucible/training';
import { expect, it } from 'vitest';
import { crucible, startCrucible } from './testing/crucible.ts';

const lines = Array.from({ length: 120 }, (_, i) => `${i % 2} it was ${i % 2 === 0 ? 'bad' : 'good'} in room ${i}`);

/** A home with a tiny encoder, and a plan for it. */
async function prepare(): Promise<{ readonly home: string; readonly plan: string }> {
  const home = temporaryFolder();
  const tokenizer = await trainWordPiece([...lines, ...lines, 'It was . bad good'], { vocabSize: 200 });
  const config = encoderConfigOf(
    { ...mlmDefaults, hiddenSize: 32, layers: 1, heads: 2, maxPositions: 32 },
    tokenizer.vocabSize,
  );
  await new ModelRegistry(join(home, 'models')).publish(
    { name: 'encoder', stage: 'mlm', kind: 'masked-language', step: 1, finished: true, metrics: {} },
    (folder) => {
      const weights = initEncoder(config, { kind: 'masked-language' }, Random.seeded(1));
      saveModel(folder, { kind: 'masked-language', config, weights }, { pad: 0 });
      saveTokenizer(tokenizer, folder);
    },
  );
  writeFileSync(join(home, 'rooms.txt'), lines.join('\n'));
  const plan = join(home, 'plan.json');
  writeFileSync(
    plan,
    JSON.stringify({
      task: { train: 'rooms.txt', words: { 0: ['bad'], 1: ['good'] } },
      encoders: ['encoder'],
      methods: ['fine-tuning', 'prompt'],
      ...{ shots: [2], seeds: [13, 21], steps: 3, rows: 4, rates: [1], threads: 1 },
    }),
  );
  return { home, plan };
}

it('crucible compare measures, can be stopped, goes on and reports', { timeout: 180_000 }, async () => {
  const { home, plan } = await prepare();
  const out = join(home, 'out');
  const command = ['--home', home, 'compare', '--plan', plan, '--out', out];
  const cells = (): string[] => readdirSync(join(out, 'cells')).sort();

  const stopped = startCrucible(command);
  await stopped.says(/2 of 4:/, 60_000);
  const ending = await stopped.end('SIGINT', 30_000);
  expect(ending.code).toBe(130);
  expect(ending.stderr).toMatch(
    /stopped; [1-3] of 4 trainings are kept in .*out, and the same command goes on from there/,
  );
  const before = cells();
  expect(before.length).toBeGreaterThan(0);

  const rest = await crucible([...command, '--json']);
  expect(rest).toMatchObject({ code: 0 });
  const { results, files } = JSON.parse(rest.stdout) as {
    results: { cell: { method: string; seed: number }; memoryBytes: number }[];
    files: Record<string, string>;
  };
  expect(results.map(({ cell: { method, seed } }) => `${method} ${seed}`)).toEqual([
    ...['fine-tuning 13', 'fine-tuning 21', 'prompt 13', 'prompt 21'],
  ]);
  expect(results.every(({ memoryBytes }) => memoryBytes > 30 * 2 ** 20)).toBe(true);
  expect(cells()).toHaveLength(4);
  expect(cells()).toEqual(expect.arrayContaining(before));
  expect(readFileSync(files['html']!, 'utf8')).toContain('from 4 of 4 trainings');
  expect(readFileSync(files['markdown']!, 'utf8')).toContain('at “rooms”');

  // All is there: nothing is trained any more, and other options are more cells beside the old ones.
  const again = await crucible(command);
  expect(again.stderr).toBe('');
  const more = await crucible([...command, '--shots', '2,3', '--seeds', '1']);
  expect([...new Set(more.stderr.match(/\d of 4:/g))]).toEqual(['2 of 4:', '4 of 4:']);
});

it('crucible compare names what is wrong before it trains', { timeout: 60_000 }, async () => {
  const { home, plan } = await prepare();
  const fails = async (args: readonly string[], message: string): Promise<void> => {
    expect(await crucible(['--home', home, 'compare', ...args])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message) as string,
    });
  };
  await fails(['--plan', join(home, 'none.json')], 'none.json: it cannot be read');
  await fails(['--plan', plan, '--shots', '1000'], 'shots: 1000 of each label are asked for');
  await fails(['--plan', plan, '--encoder', 'encoder', '--encoder', 'encoder'], 'encoder@1 is named twice');
  const many = ['--decoder', 'encoder', '--instructed', 'a', '--instructed', 'b'];
  await fails(
    ['--plan', plan, ...many],
    '--instructed b: each is compared with the --decoder at its place, of which there are 1',
  );
  await fails(['--plan', plan, '--words', 'auto'], '--words auto: all ways are to have the same words');
  // Of a plan that names no models, which would be made first.
  writeFileSync(join(home, 'broken.txt'), '1 fine\n0 \n');
  const other = ['--transfer', join(home, 'broken.txt')];
  await fails(['--task', 'topic', '--quick', ...other], 'broken.txt:2: is no label, a space and a text');
  await fails(['--task', 'topic', '--data', 'x.txt'], 'either --task or --data');
  await fails(['--test', 'x.txt'], '--dev and --test belong to --data');
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel, ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { temporaryFolder, tinyLlamaConfig } from '@crucible/testing';
import { loadTokenizer, saveTokenizer, trainBpe } from '@crucible/tokenizer';
import { expect, it } from 'vitest';
import { crucible } from './testing/crucible.ts';

it(
  'crucible instruct tunes on clusters, measures those that are held out, and keeps the model',
  { timeout: 120_000 },
  async () => {
    const home = temporaryFolder();
    const colours = ['red', 'blue'];
    const rows = Array.from({ length: 80 }, (_, i) => {
      const cluster = i < 40 ? 'say' : 'write';
      const colour = colours[i % 2]!;
      return JSON.stringify({
        cluster,
        task: cluster,
        prompt: `${cluster} ${colour} ${'.'.repeat(i)}`,
        completion: colour,
      });
    });
    const file = (name: string, lines: readonly string[]): string => {
      const path = join(home, name);
      writeFileSync(path, `${lines.join('\n')}\n`);
      return path;
    };
    const tokenizer = await trainBpe([`${rows.join('\n')}\nAnswer: red\nAnswer: blue`.repeat(3)], { vocabSize: 330 });
    const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize, maxPositions: 96 };
    const registry = new ModelRegistry(join(home, 'models'));
    const weights = initLanguageModel(config, Random.seeded(1));
    await registry.publish(
      { name: 'base', stage: 'pretrain', kind: 'language', step: 1, finished: true, metrics: {} },
      (folder) => {
        saveModel(folder, { kind: 'language', config, weights }, { pad: 0 });
        saveTokenizer(tokenizer, folder);
      },
    );
    const instruct = (...more: readonly string[]) =>
      crucible(['--home', home, 'instruct', '--model', 'base', '--no-world', ...more]);
    const data = ['--instructions', file('rows.jsonl', rows)];

    const settings = ['steps=40', 'rows=2', 'time=64', 'learningRate=0.02'].flatMap((option) => ['--set', option]);
    const made = await instruct(...data, '--hold-out', 'write', ...settings, '--name', 'instructed', '--json');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const result = JSON.parse(made.stdout) as {
      tasks: { task: string; heldOut: boolean; count: number; ranking: { instructed: { value: number } } }[];
      heldOut: { ranking: { difference: { low: number; value: number; high: number } } };
    };
    expect(result).toMatchObject({ made: 'instructed@1', holdOut: ['write'], settings: { steps: 40, cap: 3000 } });
    const [held, learned] = result.tasks;
    expect([held!.task, held!.heldOut, learned!.task, learned!.heldOut]).toEqual(['write', true, 'say', false]);
    expect(learned!.ranking.instructed.value).toBeGreaterThan(0.9);
    const { low, value, high } = result.heldOut.ranking.difference;
    expect(low).toBeLessThanOrEqual(value);
    expect(value).toBeLessThanOrEqual(high);
    expect(made.stdout).not.toContain('pairs');
    const kept = registry.resolve('instructed');
    expect(kept).toMatchObject({ kind: 'language', parent: 'base@1' });
    expect(loadModel(kept.folder).kind).toBe('language');
    expect(loadTokenizer(kept.folder).settings.chatTemplate).toContain('Answer:');

    // Rows of the held-out cluster that stand in another one too.
    const copied = rows.slice(40).map((row) => row.replaceAll('"write"', '"copy"').replace('prompt":"', 'prompt":"!'));
    const both = await instruct(
      ...data,
      '--instructions',
      file('copy.jsonl', copied),
      '--hold-out',
      'write',
      '--set',
      'steps=1',
      '--set',
      'time=64',
    );
    expect(both.code).toBe(0);
    expect(both.stderr).toMatch(
      /^Warning: \d+ of \d+ held-out instructions are among those to learn; the figures are too good\.$/m,
    );
    expect(both.stdout).toMatch(/^ +cluster +asked +ranked +instructed +difference, 95 %/m);
    expect(both.stdout).toMatch(/^write +write, held out +\d+ /m);

    const refused = { code: 2, stdout: '' };
    expect(await instruct(...data, '--hold-out', 'sing')).toMatchObject({
      ...refused,
      stderr: 'crucible: hold-out: there is no cluster "sing"; there are say, write\n',
    });
    expect(await instruct('--hold-out', 'say')).toMatchObject({
      ...refused,
      stderr: 'crucible: instructions: there are none; give --instructions, or leave --no-world out\n',
    });
    expect(await instruct(...data, '--hold-out', 'say', '--set', 'rate=1')).toMatchObject({
      ...refused,
      stderr: expect.stringContaining('option rate does not exist; there are steps, rows, time') as string,
    });
  },
);

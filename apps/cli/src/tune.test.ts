import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel, ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initEncoder } from '@crucible/nn';
import { temporaryFolder } from '@crucible/testing';
import { saveTokenizer, trainWordPiece } from '@crucible/tokenizer';
import { encoderConfigOf, mlmDefaults } from '@crucible/training';
import { expect, it } from 'vitest';
import { crucible } from './testing/crucible.ts';

it('crucible tune adapts an encoder to labelled files, measures and keeps it', { timeout: 180_000 }, async () => {
  const home = temporaryFolder();
  const lines = Array.from({ length: 120 }, (_, i) => `${i % 2} it was ${i % 2 === 0 ? 'bad' : 'good'} in room ${i}`);
  const file = (name: string, content: readonly string[]): string => {
    const path = join(home, name);
    writeFileSync(path, content.join('\n'));
    return path;
  };
  const data = file('data.txt', lines);
  const tokenizer = await trainWordPiece([...lines, ...lines, 'It was . bad good'], { vocabSize: 200 });
  const config = encoderConfigOf(
    { ...mlmDefaults, hiddenSize: 32, layers: 1, heads: 2, maxPositions: 32 },
    tokenizer.vocabSize,
  );
  const registry = new ModelRegistry(join(home, 'models'));
  await registry.publish(
    { name: 'encoder', stage: 'mlm', kind: 'masked-language', step: 1, finished: true, metrics: {} },
    (folder) => {
      const weights = initEncoder(config, { kind: 'masked-language' }, Random.seeded(1));
      saveModel(folder, { kind: 'masked-language', config, weights }, { pad: 0 });
      saveTokenizer(tokenizer, folder);
    },
  );
  const tune = (...more: readonly string[]) =>
    crucible(['--home', home, 'tune', '--model', 'encoder', '--set', 'threads=1', ...more]);

  const head = await tune(
    '--method',
    'fine-tuning',
    '--data',
    data,
    '--set',
    'steps=80',
    '--set',
    'learningRate=0.005',
    '--name',
    'kept',
    '--json',
  );
  expect(head).toMatchObject({ code: 0, stderr: '' });
  const result = JSON.parse(head.stdout) as { accuracy: { value: number; low: number }; made: string };
  expect(result).toMatchObject({ made: 'kept@1', labels: ['0', '1'], method: 'fine-tuning', shots: null });
  expect(result.accuracy.value).toBeGreaterThan(0.9);
  expect(result.accuracy.low).toBeLessThan(0.9);
  const kept = registry.resolve('kept');
  expect(kept).toMatchObject({ kind: 'classifier', stage: 'tune', parent: 'encoder@1' });
  expect(loadModel(kept.folder)).toMatchObject({ kind: 'classifier', labels: ['0', '1'] });

  // Few examples, two seeds, a file to measure on that has been seen.
  const few = ['--method', 'prompt', '--data', data, '--test', file('test.txt', lines.slice(0, 20)), '--shots', '4'];
  const words = ['--words', '0=bad', '--words', '1=good'];
  const prompt = await tune(...few, ...words, '--seeds', '2', '--set', 'steps=3');
  expect(prompt.code).toBe(0);
  expect(prompt.stderr).toContain(
    'Warning: 20 of 20 test texts occur in the training examples; the figures are too good.',
  );
  expect(prompt.stdout).toMatch(/seed 13 .*\n.*seed 21 .*\n.*mean /);
  expect(prompt.stdout).toContain('Template: {text} It was {mask}.\nWords: 0=bad  1=good');

  const refused = { code: 2, stdout: '' };
  expect(await tune(...few, '--words', '0=\u6f22', '--words', '1=good')).toMatchObject({
    ...refused,
    stderr: expect.stringContaining('label words: "\u6f22" of label "0" is not in the model') as string,
  });
  expect(await tune(...few, ...words, '--template', 'all {mask} {txt}')).toMatchObject({
    ...refused,
    stderr: expect.stringContaining(
      'unknown placeholder {txt}; there are {text}, {pair}, {mask} and {soft}\n  all {mask} {txt}\n              ^^^',
    ) as string,
  });
  expect(await tune('--method', 'lora', '--data', data)).toMatchObject({
    ...refused,
    stderr: expect.stringContaining(
      'encoder@1 is a model of the kind masked-language; lora is for one of the kind language.',
    ) as string,
  });
  expect(await tune('--method', 'fine-tuning')).toMatchObject({
    ...refused,
    stderr: expect.stringContaining('either --task or --data is needed') as string,
  });
  expect(await tune(...few.slice(0, -1), '80', ...words)).toMatchObject({
    ...refused,
    stderr: expect.stringContaining('shots: 80 of each label are asked for, and label') as string,
  });
});

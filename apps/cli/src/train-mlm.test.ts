import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel, ModelRegistry } from '@crucible/checkpoint';
import { temporaryFolder } from '@crucible/testing';
import { loadTokenizer } from '@crucible/tokenizer';
import { expect, it } from 'vitest';
import { crucible } from './testing/crucible.ts';

it('crucible train mlm makes an encoder of text, and goes on from one', { timeout: 120_000 }, async () => {
  const home = temporaryFolder();
  const corpus = join(home, 'text.txt');
  writeFileSync(corpus, Array.from({ length: 300 }, (_, i) => `Line ${i} says ${i * 7} and no more.\n`).join(''));
  const sizes = ['vocabulary=200', 'hiddenSize=16', 'layers=1', 'heads=2', 'maxPositions=32', 'time=32', 'rows=4'];
  const train = (name: string, ...more: readonly string[]) =>
    crucible([
      ...['--home', home, 'train', 'mlm', '--name', name, '--corpus', corpus, '--json'],
      ...[...sizes, 'steps=3'].flatMap((option) => ['--set', option]),
      ...more,
    ]);

  const first = await train('encoder');
  expect(first).toMatchObject({ code: 0 });
  const { models, metrics } = JSON.parse(first.stdout) as { models: string[]; metrics: Record<string, number> };
  const registry = new ModelRegistry(join(home, 'models'));
  const made = registry.resolve(models[0]!);
  expect(made).toMatchObject({ name: 'encoder', kind: 'masked-language', stage: 'mlm', finished: true });
  expect(metrics['val_loss']).toBeGreaterThan(0);
  const model = loadModel(made.folder);
  const tokenizer = loadTokenizer(made.folder);
  expect(model).toMatchObject({
    kind: 'masked-language',
    config: { family: 'bert', hiddenSize: 16, layers: 1, vocabularySize: tokenizer.vocabSize },
  });
  expect(tokenizer.maskId).toBe(tokenizer.tokenToId('[MASK]'));

  const second = await train('more', '--base', 'encoder');
  expect(second).toMatchObject({ code: 0 });
  expect(registry.resolve('more')).toMatchObject({ parent: models[0], tokenizerSha256: made.tokenizerSha256 });

  expect(await train('x', '--set', 'maskShare=1')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('option maskShare is 1; a share above 0 and below 1 is needed') as string,
  });
});

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModelRegistry, type SavedModel, saveModel } from '@crucible/checkpoint';
import { temporaryFolder, tinyLlama, tinyLlamaConfig, tinyRewardModel } from '@crucible/testing';
import { expect, it } from 'vitest';
import { crucible } from './testing/crucible.ts';

it('a checkpoint of another shape is named with its file, its tensor and both shapes', async () => {
  const home = temporaryFolder();
  const run = (...args: readonly string[]) => crucible(['--home', home, ...args]);
  const file = (name: string, text: string): string => {
    const path = join(home, name);
    writeFileSync(path, text);
    return path;
  };
  const refusal = (message: string) => ({ code: 2, stdout: '', stderr: `crucible: ${message}\n` });
  const corpus = file('text.txt', Array.from({ length: 200 }, (_, i) => `Line ${i} says ${i * 7}.\n`).join(''));
  const rows = file('rows.jsonl', '{"question": "Is 1 odd?", "answer": "Yes."}\n'.repeat(3));
  const short = ['--preset', 'smoke', '--set', 'steps=1'];
  expect(await run('train', 'pretrain', '--name', 'base', '--corpus', corpus, ...short)).toMatchObject({ code: 0 });

  // Models of fewer tokens, with the tokenizer of `base`.
  const models = new ModelRegistry(join(home, 'models'));
  const base = models.resolve('base');
  const path = join(base.folder, 'config.json');
  const json = JSON.parse(readFileSync(path, 'utf8')) as { vocab_size: number };
  const { vocab_size: size } = json;
  const publish = (name: string, model: SavedModel) =>
    models.publish({ name, stage: 'import', kind: model.kind, step: 0, finished: true, metrics: {} }, (folder) => {
      saveModel(folder, model, { bos: 0, eos: [1], pad: 0 });
      copyFileSync(join(base.folder, 'tokenizer.json'), join(folder, 'tokenizer.json'));
      copyFileSync(join(base.folder, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'));
    });
  const config = tinyLlamaConfig;
  const judge = await publish('judge', { kind: 'scalar', config, weights: tinyRewardModel(1), bias: 0 });
  const narrow = await publish('narrow', { kind: 'language', config, weights: tinyLlama(1) });
  const own = `[${config.vocabularySize}, ${config.hiddenSize}]`;

  const sft = ['train', 'sft', '--name', 'x', '--instructions', rows, '--json'];
  expect(await run(...sft, '--base', 'narrow')).toMatchObject(
    refusal(
      `${narrow.folder}/tokenizer.json: it has ${size} tokens; tensor model.embed_tokens.weight of the weights has shape ${own}`,
    ),
  );
  const ppo = ['train', 'ppo', '--name', 'x', '--base', 'base', '--reward-model', 'judge', '--prompts', rows, '--json'];
  expect(await run(...ppo)).toMatchObject(
    refusal(
      `${judge.folder}/model.safetensors: tensor model.embed_tokens.weight has shape ${own}, and not the [${size}, 32] of base@${base.version}, which it is to judge`,
    ),
  );

  writeFileSync(path, JSON.stringify({ ...json, intermediate_size: 96 }));
  const mismatch = refusal(
    `${base.folder}/model.safetensors: tensor model.layers.0.mlp.gate_proj.weight has shape [64, 32]; config.json asks for [96, 32]`,
  );
  expect(await run(...sft, '--base', 'base')).toMatchObject(mismatch);
  expect(await run('eval', '--model', 'base', '--count', '1', '--json')).toMatchObject(mismatch);
});

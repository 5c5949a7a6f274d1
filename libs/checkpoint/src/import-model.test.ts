import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { saveTokenizer, trainBpe } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import { exportModelFolder } from './huggingface-export.ts';
import { importModel } from './import-model.ts';
import { loadModel, saveModel, type SavedModel } from './model-folder.ts';
import { ModelRegistry } from './model-registry.ts';
import { modelsOfAllFamilies } from './testing/random-model.ts';
import type { WriteWeightsOptions } from './weight-files.ts';

const tokenizer = await trainBpe(['the hot iron and the cold iron '.repeat(9)], { vocabSize: 270 });
const models = modelsOfAllFamilies(tokenizer.vocabSize, 1);
const tokens = { bos: tokenizer.bosId!, eos: [tokenizer.eosId!], pad: tokenizer.padId! };

function folderOf(model: SavedModel, options?: WriteWeightsOptions): string {
  const folder = temporaryFolder();
  saveModel(folder, model, tokens, options);
  saveTokenizer(tokenizer, folder);
  return folder;
}

describe('a folder becomes a model of the registry', () => {
  it.each(['gpt2', 'qwen3', 'roberta', 'minilm'])('as it is: %s', async (which) => {
    const registry = new ModelRegistry(temporaryFolder());
    const folder = folderOf(models[which]!);
    writeFileSync(join(folder, 'LICENSE'), 'free');
    writeFileSync(join(folder, 'pytorch_model.bin'), 'not taken');
    mkdirSync(join(folder, 'onnx'));
    writeFileSync(join(folder, 'onnx/model.onnx'), 'not taken');
    const version = await importModel(registry, folder, { name: 'mine', origin: 'somebody/something' });
    expect(version).toMatchObject({ name: 'mine', version: 1, stage: 'import', finished: true });
    expect(registry.resolve('mine')).toMatchObject({ kind: models[which]!.kind, origin: 'somebody/something' });
    expect(loadModel(version.folder)).toEqual(models[which]);
    const entries = readdirSync(version.folder);
    expect(entries).toContain('LICENSE');
    expect(entries.filter((entry) => /bin|onnx/.test(entry))).toEqual([]);
    for (const file of ['config.json', 'tokenizer.json'])
      expect(readFileSync(join(version.folder, file))).toEqual(readFileSync(join(folder, file)));
  });

  it('with its weights in several files, whose digest is that of all', async () => {
    const registry = new ModelRegistry(temporaryFolder());
    const folder = folderOf(models['llama']!, { maxShardBytes: 9000 });
    const one = await importModel(registry, folder, { name: 'mine', origin: folder });
    expect(readdirSync(one.folder).filter((entry) => entry.endsWith('.safetensors')).length).toBe(2);
    expect(loadModel(one.folder)).toEqual(models['llama']);
    const other = await importModel(registry, folderOf(models['llama']!), { name: 'mine', origin: folder });
    expect([one.sha256, other.sha256].every((digest) => /^[0-9a-f]{64}$/.test(digest))).toBe(true);
    expect(other.sha256).not.toBe(one.sha256);
  });

  it.each<[string, (folder: string) => void, string]>([
    [
      'no config.json',
      (folder) => rmSync(join(folder, 'config.json')),
      'is no folder of a model: it has no config.json',
    ],
    ['no tokenizer', (folder) => rmSync(join(folder, 'tokenizer.json')), 'tokenizer.json: there is no such file'],
    ['no weights', (folder) => rmSync(join(folder, 'model.safetensors')), 'model.safetensors: there is no such file'],
    [
      'weights of another model',
      (folder) => {
        const config = readFileSync(join(folder, 'config.json'));
        saveModel(folder, models['llama']!, tokens);
        writeFileSync(join(folder, 'config.json'), config);
      },
      'model.safetensors: tensor transformer.wte.weight is missing',
    ],
  ])('and not with %s', async (_name, damage, message) => {
    const root = temporaryFolder();
    const folder = folderOf(models['gpt2']!);
    damage(folder);
    const importing = importModel(new ModelRegistry(root), folder, { name: 'mine', origin: folder });
    await expect(importing).rejects.toMatchObject({ name: 'CrucibleError' });
    await expect(importing).rejects.toThrow(message);
    expect(readdirSync(root)).toEqual([]);
  });

  it('and not with more tokens than embeddings', async () => {
    const folder = folderOf(modelsOfAllFamilies(200, 1)['llama']!);
    await expect(
      importModel(new ModelRegistry(temporaryFolder()), folder, { name: 'mine', origin: folder }),
    ).rejects.toThrow('tokenizer.json: it has 270 tokens, and the model 200 embeddings');
  });
});

describe('a model as a folder for others', () => {
  it.each(Object.entries(models))('is the model again: %s', (_name, model) => {
    const [folder, to] = [folderOf(model), temporaryFolder()];
    exportModelFolder(folder, to, { maxShardBytes: 20_000 });
    expect(loadModel(to)).toEqual(model);
    expect(readFileSync(join(to, 'tokenizer.json'))).toEqual(readFileSync(join(folder, 'tokenizer.json')));
  });

  it('keeps how its author generates, and says in which precision it is', () => {
    const [folder, to] = [folderOf(models['gpt2']!), temporaryFolder()];
    writeFileSync(join(folder, 'generation_config.json'), '{"eos_token_id": [5, 6], "temperature": 0.6}');
    exportModelFolder(folder, to, { floats: 'BF16' });
    expect(JSON.parse(readFileSync(join(to, 'generation_config.json'), 'utf8'))).toEqual({
      eos_token_id: [5, 6],
      temperature: 0.6,
    });
    expect(JSON.parse(readFileSync(join(to, 'config.json'), 'utf8'))).toMatchObject({
      torch_dtype: 'bfloat16',
      eos_token_id: 5,
    });
  });
});

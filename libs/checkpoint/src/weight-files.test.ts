import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { floats } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { readSafetensors, tensorSources, writeSafetensors } from './safetensors.ts';
import { hashWeights, WeightFiles, weightFileNames, writeWeights } from './weight-files.ts';

const tree = Object.fromEntries(
  ['a', 'b', 'c', 'd'].map((name, i) => [name, floats([i + 1], new Float32Array(i + 1).fill(i))]),
);
const index = 'model.safetensors.index.json';

function readAll(folder: string): Record<string, unknown> {
  using files = WeightFiles.open(folder);
  return Object.fromEntries(Array.from(files.names(), (name) => [name, files.read(name)]));
}

describe('weights in several files', () => {
  it('are cut so that none is larger than asked for, with an index as transformers has it', () => {
    const folder = temporaryFolder();
    // 4, 8, 12 and 16 bytes.
    writeWeights(folder, tensorSources(tree), { maxShardBytes: 13 });
    expect(readdirSync(folder).sort()).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
      index,
    ]);
    expect(JSON.parse(readFileSync(join(folder, index), 'utf8'))).toEqual({
      metadata: { total_size: 40 },
      weight_map: {
        a: 'model-00001-of-00003.safetensors',
        b: 'model-00001-of-00003.safetensors',
        c: 'model-00002-of-00003.safetensors',
        d: 'model-00003-of-00003.safetensors',
      },
    });
    expect(readAll(folder)).toEqual(tree);
  });

  it('give way to one file, and one file to several', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'adapter_model.safetensors'), 'of somebody else');
    writeWeights(folder, tensorSources(tree), { maxShardBytes: 13 });
    writeWeights(folder, tensorSources(tree));
    expect(readdirSync(folder).sort()).toEqual(['adapter_model.safetensors', 'model.safetensors']);
    writeWeights(folder, tensorSources(tree), { maxShardBytes: 1000, floats: 'BF16' });
    writeWeights(folder, tensorSources(tree), { maxShardBytes: 9, floats: 'BF16' });
    expect(readdirSync(folder)).toHaveLength(5);
    expect(readAll(folder)).toEqual(tree);
  });

  it('are told apart by their digests, one file by its own', () => {
    const [one, other] = [temporaryFolder(), temporaryFolder()];
    writeWeights(one, tensorSources(tree));
    const bytes = readFileSync(join(one, 'model.safetensors'));
    expect(hashWeights(one)).toBe(createHash('sha256').update(bytes).digest('hex'));
    writeWeights(one, tensorSources(tree), { maxShardBytes: 13 });
    writeWeights(other, tensorSources({ ...tree, d: floats([4], [3, 3, 3, 4]) }), { maxShardBytes: 13 });
    expect(hashWeights(one)).toMatch(/^[0-9a-f]{64}$/);
    expect(hashWeights(other)).not.toBe(hashWeights(one));
  });

  it.each<[string, (folder: string) => void, string]>([
    ['a file that is missing', (folder) => rmSync(join(folder, 'model-00002-of-00003.safetensors')), 'no such file'],
    [
      'a tensor that is in another file',
      (folder) => edit(folder, (map) => ({ ...map, a: 'model-00002-of-00003.safetensors' })),
      'tensor a is not in model-00002-of-00003.safetensors',
    ],
    [
      'a tensor that no file has',
      (folder) => edit(folder, (map) => ({ ...map, e: 'model-00002-of-00003.safetensors' })),
      'tensor e is not in model-00002-of-00003.safetensors',
    ],
    [
      'a tensor that the index does not name',
      (folder) => edit(folder, (map) => Object.fromEntries(Object.entries(map).filter(([name]) => name !== 'a'))),
      'has a tensor a, which the index does not name',
    ],
    [
      'a tensor twice',
      (folder) =>
        writeSafetensors(
          join(folder, 'model-00003-of-00003.safetensors'),
          tensorSources({ a: tree['a'], d: tree['d'] }),
        ),
      'has a tensor a, which the index places in model-00001-of-00003.safetensors',
    ],
    [
      'a file elsewhere',
      (folder) => edit(folder, (map) => ({ ...map, a: '../../etc/a.safetensors' })),
      'tensor a is placed in "../../etc/a.safetensors", which is no name of a file beside it',
    ],
    [
      'a file that is no text',
      (folder) => edit(folder, (map) => ({ ...map, a: 7 })),
      'tensor a is placed in 7, which is no name of a file beside it',
    ],
    ['an index of nothing', (folder) => edit(folder, () => ({})), 'weight_map names no tensor'],
    ['an index that is a list', (folder) => edit(folder, () => []), 'weight_map is no object'],
  ])('are refused with %s', (_name, damage, message) => {
    const folder = temporaryFolder();
    writeWeights(folder, tensorSources(tree), { maxShardBytes: 13 });
    damage(folder);
    expect(() => WeightFiles.open(folder)).toThrow(message);
    expect(() => WeightFiles.open(folder)).toThrow(expect.objectContaining({ name: 'CrucibleError' }));
  });
});

function edit(folder: string, change: (map: Record<string, unknown>) => unknown): void {
  const path = join(folder, index);
  const { weight_map: map } = JSON.parse(readFileSync(path, 'utf8')) as { weight_map: Record<string, unknown> };
  writeFileSync(path, JSON.stringify({ weight_map: change(map) }));
}

it.each(['pytorch_model.bin', 'model.ckpt', 'consolidated.00.pth', 'tf_model.h5'])(
  'refuses %s, with advice',
  (name) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), 'cos\nsystem\n');
    expect(() => weightFileNames(folder)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: `${folder}: the weights are in ${name}, which is not read here: such files may run code of their author, or lack what a folder has; save the model as safetensors, in Python by model.save_pretrained(FOLDER)`,
      }),
    );
  },
);

it('prefers one file to an index that was left beside it', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, index), '{');
  writeSafetensors(join(folder, 'model.safetensors'), tensorSources(tree));
  expect(readAll(folder)).toEqual(Object.fromEntries(readSafetensors(join(folder, 'model.safetensors')).tensors));
});

it.each([0, -1, NaN])('refuses files of %d bytes', (maxShardBytes) => {
  expect(() => writeWeights(temporaryFolder(), tensorSources(tree), { maxShardBytes })).toThrow(
    `the size of a file is ${maxShardBytes}; a number of bytes above 0 is needed`,
  );
});

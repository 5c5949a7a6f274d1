import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { floats, isNdArray, mapTree, type NdArray } from '@crucible/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModel, saveModel } from './model-folder.ts';
import { ModelRegistry, type ModelVersion, type NewModel, openModelFolder } from './model-registry.ts';
import { randomLanguageModel, randomScalarModel, smallTokens } from './testing/random-model.ts';

let root: string;
let registry: ModelRegistry;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'crucible-'));
  registry = new ModelRegistry(root);
});
afterEach(() => rmSync(root, { recursive: true }));

const model = randomLanguageModel();

const named = (name: string): NewModel => ({
  name,
  stage: 'sft',
  kind: 'language',
  step: 120,
  finished: true,
  metrics: { loss: 1.5 },
});

function fill(folder: string): void {
  saveModel(folder, model, smallTokens);
  writeFileSync(join(folder, 'tokenizer.json'), '{}');
}

const publish = (name: string, keep?: number): Promise<ModelVersion> =>
  registry.publish(named(name), fill, keep === undefined ? {} : { keep });

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('publish', () => {
  it('numbers versions from 1 and describes each by a card', async () => {
    const before = Date.now();
    const first = await registry.publish({ ...named('chat'), parent: 'base@4' }, fill);
    const folder = join(root, 'chat', '000001');
    expect(first).toEqual({
      ...named('chat'),
      parent: 'base@4',
      version: 1,
      createdAt: expect.any(String) as string,
      sha256: sha256(join(folder, 'model.safetensors')),
      tokenizerSha256: sha256(join(folder, 'tokenizer.json')),
      folder,
      uri: pathToFileURL(folder).href,
    });
    expect(Date.parse(first.createdAt)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(first.createdAt)).toBeLessThanOrEqual(Date.now());
    const card = JSON.parse(readFileSync(join(folder, 'crucible.json'), 'utf8')) as object;
    expect({ ...card, folder: first.folder, uri: first.uri }).toEqual(first);
    expect((await publish('chat')).version).toBe(2);
    expect((await publish('other')).version).toBe(1);
    expect(loadModel(first.folder)).toEqual(model);
  });

  it('waits for what fills the folder, and shows the version only then', async () => {
    await publish('chat');
    await registry.publish(named('chat'), async (folder) => {
      fill(folder);
      await new Promise((resolve) => setImmediate(resolve));
      expect(registry.resolve('chat').version).toBe(1);
    });
    expect(registry.resolve('chat').version).toBe(2);
  });

  it('keeps the newest three of the versions before it', async () => {
    for (let i = 0; i < 6; i++) await publish('chat');
    expect(readdirSync(join(root, 'chat')).sort()).toEqual(['000003', '000004', '000005', '000006', 'latest']);
  });

  it.each([
    [0, ['000004', 'latest']],
    [1, ['000003', '000004', 'latest']],
    [9, ['000001', '000002', '000003', '000004', 'latest']],
  ])('keeps %i of them when told to', async (keep, left) => {
    for (let i = 0; i < 4; i++) await publish('chat', keep);
    expect(readdirSync(join(root, 'chat')).sort()).toEqual(left);
  });

  it('goes on counting after the newest version', async () => {
    mkdirSync(join(root, 'chat', '999999'), { recursive: true });
    expect((await publish('chat')).folder).toBe(join(root, 'chat', '1000000'));
    expect(registry.resolve('chat').version).toBe(1_000_000);
  });

  it.each<[string, (folder: string) => void | Promise<void>, string]>([
    [
      'throws',
      (folder) => {
        fill(folder);
        throw new Error('out of ideas');
      },
      'out of ideas',
    ],
    [
      'rejects',
      async (folder) => {
        fill(folder);
        await Promise.reject(new Error('out of time'));
      },
      'out of time',
    ],
    ['writes no weights', (folder) => writeFileSync(join(folder, 'tokenizer.json'), '{}'), 'model.safetensors'],
    ['writes no tokenizer', (folder) => saveModel(folder, model, smallTokens), 'tokenizer.json'],
  ])('leaves nothing when what fills the folder %s', async (_how, broken, message) => {
    await publish('chat');
    await expect(registry.publish(named('chat'), broken)).rejects.toMatchObject({
      name: 'CrucibleError',
      message: expect.stringContaining(message) as string,
    });
    expect(readdirSync(join(root, 'chat')).sort()).toEqual(['000001', 'latest']);
    expect((await publish('chat')).version).toBe(2);
    await expect(registry.publish(named('new'), broken)).rejects.toThrow(message);
    expect(registry.names()).toEqual(['chat']);
  });

  it('lets one of two at the same time win, and tells the other of the conflict', async () => {
    const results = await Promise.allSettled([publish('chat'), publish('chat')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
    expect(readdirSync(join(root, 'chat')).sort()).toEqual(['000001', 'latest']);
    expect(loadModel(registry.resolve('chat').folder)).toEqual(model);
  });

  it.each(['', 'Chat', '../chat', 'a/b', '.hidden', '-x', 'a'.repeat(65), 'é'])('refuses the name %j', async (name) => {
    await expect(publish(name)).rejects.toMatchObject({
      code: 'invalid-input',
      message: `model name ${JSON.stringify(name)}: lower-case letters, digits, dots, dashes and underscores, at most 64, beginning with a letter or digit`,
    });
    expect(readdirSync(root)).toEqual([]);
  });
});

describe('resolve', () => {
  it('finds the newest version by name and any by number', async () => {
    const versions = [await publish('chat'), await publish('chat')];
    expect(registry.resolve('chat')).toEqual(versions[1]);
    expect(registry.resolve('chat@1')).toEqual(versions[0]);
    expect(registry.resolve('chat@2')).toEqual(versions[1]);
  });

  it.each([
    ['without the pointer', (): void => rmSync(join(root, 'chat', 'latest'))],
    ['with a pointer that is behind', (): void => writeFileSync(join(root, 'chat', 'latest'), '1')],
    ['with a pointer to nothing', (): void => writeFileSync(join(root, 'chat', 'latest'), '7')],
    ['with a damaged pointer', (): void => writeFileSync(join(root, 'chat', 'latest'), '')],
  ])('finds the newest version %s', async (_how, damage) => {
    await publish('chat');
    await publish('chat');
    damage();
    expect(registry.resolve('chat').version).toBe(2);
  });

  it('says what there is instead', async () => {
    const notFound = (message: string): Error => expect.objectContaining({ code: 'not-found', message }) as Error;
    expect(() => registry.resolve('chat')).toThrow(notFound('model chat does not exist; known are none yet'));
    await publish('chat');
    await publish('base', 0);
    await publish('base', 0);
    expect(() => registry.resolve('talk')).toThrow(notFound('model talk does not exist; known are base, chat'));
    expect(() => registry.resolve('base@1')).toThrow(notFound('model base@1 does not exist; base has 2'));
  });

  it.each(['chat@', 'chat@0', 'chat@01', 'chat@-1', 'chat@1.5', 'chat@latest', 'chat@1@2'])(
    'refuses the reference %s',
    (reference) => {
      expect(() => registry.resolve(reference)).toThrow(
        expect.objectContaining({
          code: 'invalid-input',
          message: `model ${reference}: a reference is NAME or NAME@VERSION`,
        }) as Error,
      );
    },
  );

  it('refuses a path in place of a name', () => {
    expect(() => registry.resolve('../chat')).toThrow('model name "../chat": lower-case letters');
  });

  it('tells a damaged card', async () => {
    const { folder } = await publish('chat');
    writeFileSync(join(folder, 'crucible.json'), '{"name": ');
    expect(() => registry.resolve('chat')).toThrow(
      expect.objectContaining({
        code: 'data-loss',
        message: expect.stringContaining(`${join(folder, 'crucible.json')}: the model's card cannot be read`) as string,
      }) as Error,
    );
  });
});

describe('names and list', () => {
  it('hold the models that have a version, sorted, with their newest', async () => {
    expect(new ModelRegistry(join(root, 'not there')).names()).toEqual([]);
    await publish('zeta');
    await publish('alpha');
    const newest = await publish('alpha');
    mkdirSync(join(root, 'empty'));
    mkdirSync(join(root, 'Not a name', '000001'), { recursive: true });
    writeFileSync(join(root, 'file'), '');
    expect(registry.names()).toEqual(['alpha', 'zeta']);
    expect(registry.list()).toEqual([newest, registry.resolve('zeta')]);
  });
});

describe('openModelFolder', () => {
  it('opens a published version by path and by file: address', async () => {
    const version = await publish('chat');
    expect(openModelFolder(version.folder)).toEqual(version);
    expect(openModelFolder(version.uri)).toEqual(version);
    expect(registry.open(version.uri)).toEqual(version);
  });

  it('describes a folder without a card by its files', () => {
    const folder = join(root, 'theirs with a space');
    mkdirSync(folder);
    saveModel(folder, randomScalarModel(2), smallTokens);
    writeFileSync(join(folder, 'tokenizer.json'), '{}');
    expect(openModelFolder(pathToFileURL(folder).href)).toEqual({
      name: 'theirs with a space',
      version: 1,
      stage: 'import',
      kind: 'scalar',
      step: 0,
      finished: true,
      metrics: {},
      createdAt: expect.any(String) as string,
      sha256: sha256(join(folder, 'model.safetensors')),
      tokenizerSha256: sha256(join(folder, 'tokenizer.json')),
      folder,
      uri: pathToFileURL(folder).href,
    });
  });

  it.each(['model.safetensors', 'tokenizer.json'])('says that %s is not there', (file) => {
    const folder = join(root, 'theirs');
    mkdirSync(folder);
    fill(folder);
    rmSync(join(folder, file));
    expect(() => openModelFolder(folder)).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: expect.stringContaining(join(folder, file)) as string,
      }) as Error,
    );
  });

  it('refuses a folder without a model, and the address of another machine', () => {
    expect(() => openModelFolder(root)).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: `${root} is no folder of a model: it has no config.json`,
      }) as Error,
    );
    expect(() => openModelFolder('file://elsewhere/models/chat')).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: expect.stringContaining('file://elsewhere/models/chat names no folder of this machine: ') as string,
      }) as Error,
    );
  });

  it('opens a version that was copied elsewhere', async () => {
    const version = await publish('chat');
    const copy = join(root, 'copy');
    cpSync(version.folder, copy, { recursive: true });
    expect(openModelFolder(copy)).toEqual({ ...version, folder: copy, uri: pathToFileURL(copy).href });
  });
});

it('a process that loads the newest version all the time meets only whole ones', async () => {
  const publishNumbered = (version: number): Promise<ModelVersion> =>
    registry.publish(named('chat'), (folder) => {
      const number = ({ shape, data }: NdArray): NdArray => floats(shape, new Float32Array(data.length).fill(version));
      const weights = mapTree(model.weights, isNdArray, number) as typeof model.weights;
      saveModel(folder, { ...model, weights }, smallTokens);
      writeFileSync(join(folder, 'tokenizer.json'), '{}');
    });
  await publishNumbered(1);
  const script = join(import.meta.dirname, 'testing/read-newest.ts');
  const reader = spawn(process.execPath, [script, root, 'chat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const complaints: string[] = [];
  reader.stderr.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
  const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
  expect(await lines.next(), complaints.join('')).toMatchObject({ value: 'ready' });
  for (let version = 2; version <= 12; version++) expect((await publishNumbered(version)).version).toBe(version);
  const exited = once(reader, 'exit');
  reader.stdin.end();
  const last = await lines.next();
  expect(await exited, complaints.join('')).toEqual([0, null]);
  const met = JSON.parse(last.value!) as number[];
  expect(met).toEqual(met.toSorted((a, b) => a - b));
  expect(met.length).toBeGreaterThan(1);
  expect(existsSync(join(root, 'chat', '000008'))).toBe(false);
}, 120_000);

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Bus, createBus, createEvent } from '@crucible/bus';
import { type RecordingLogger, recordingLogger } from '@crucible/service/testing';
import { temporaryFolder } from '@crucible/testing';
import { EngineWorker } from './engine-worker.ts';
import { modelEngine } from './model-engine.ts';
import type { ModelDescription } from './model-source.ts';
import { ServedModels, type WeightUpdate } from './served-models.ts';
import type { ExampleEngineMethods } from './testing/example-engine.ts';
import { type ExampleSource, exampleSource } from './testing/example-source.ts';

let bus: Bus;
let engine: EngineWorker<ExampleEngineMethods>;
let logger: RecordingLogger;
let source: ExampleSource;
let models: ServedModels;

beforeEach(async () => {
  logger = recordingLogger();
  bus = await createBus('embedded:');
  source = exampleSource(temporaryFolder());
  engine = await EngineWorker.start(new URL('./testing/example-engine.ts', import.meta.url), {
    name: 'the engine',
    log: logger.log,
  });
  models = new ServedModels({ kind: 'language', source, log: logger.log, engine: modelEngine(engine) });
});
afterEach(async () => {
  await models.stop();
  await engine.close();
  await bus.close();
});

async function publish({ name, version, uri, stage, sha256 }: ModelDescription): Promise<void> {
  const data = { model: name, version, uri, stage, step: 1, sha256 };
  await bus.publish(createEvent('crucible.weights.published', { source: '/test', subject: name, data }));
}

/** Publishes a version and waits until it serves. */
async function publishAndWait(model: ModelDescription): Promise<void> {
  await publish(model);
  await logger.logged({ msg: 'serving new weights', model: model.name, version: model.version });
}

function updateOf({ name, version, uri }: ModelDescription, more: Partial<WeightUpdate> = {}): WeightUpdate {
  return { model: name, version, uri, sha256: '', allowRollback: false, ...more };
}

const answerOf = (name: string): Promise<unknown> => engine.call('answer', { name });

describe('at the start', () => {
  test('the newest version of every model of the kind is loaded', async () => {
    source.add('chat', 1, 10);
    source.add('chat', 2, 20);
    source.add('code', 1, 30);
    source.add('taste', 5, 40, { kind: 'scalar' });
    await models.start(bus);
    expect(models.info('').map(({ name, version }) => `${name}@${version}`)).toEqual(['chat@2', 'code@1']);
    await expect(answerOf('chat')).resolves.toEqual({ version: 2, number: 20 });
  });

  test('a model that cannot be loaded is logged, and the others are served', async () => {
    source.add('broken', 1, 'no number');
    source.add('chat', 1, 10);
    source.add('unreadable', 1, 10);
    const brokenSource: ExampleSource = {
      ...source,
      resolve: (name) => {
        if (name === 'unreadable') throw new Error('the card is damaged');
        return source.resolve(name);
      },
    };
    models = new ServedModels({
      kind: 'language',
      source: brokenSource,
      log: logger.log,
      engine: modelEngine(engine),
    });
    await models.start(bus);
    expect(models.info('').map(({ name }) => name)).toEqual(['chat']);
    expect(logger.lines.filter(({ level }) => level === 50)).toMatchObject([
      { model: 'broken', version: 1, error: `${source.resolve('broken').folder} is damaged` },
      { model: 'unreadable', error: 'the card is damaged' },
    ]);
  });

  test('without any model, calls say so, and the first that is published serves', async () => {
    await models.start(bus);
    expect(models.defaultName).toBeUndefined();
    expect(models.info('')).toEqual([]);
    expect(() => models.resolve('')).toThrow(
      expect.objectContaining({ code: 'failed-precondition', message: 'no model is loaded yet', at: 'model' }),
    );
    expect(() => models.resolve('chat')).toThrow(
      expect.objectContaining({ code: 'not-found', message: 'model chat is not served; served are none yet' }),
    );
    await publishAndWait(source.add('chat', 1, 10));
    expect(models.resolve('')).toMatchObject({ name: 'chat', version: 1 });
  });
});

describe('naming models', () => {
  test('no name means the model that was made last', async () => {
    source.add('a', 3, 1);
    source.add('b', 9, 2);
    source.add('c', 5, 3);
    await models.start(bus);
    expect(models.defaultName).toBe('b');
    expect(models.resolve('')).toMatchObject({ name: 'b', version: 9 });
    expect(models.resolve('a')).toMatchObject({ name: 'a', version: 3 });
  });

  test('an unknown name is answered with the known ones', async () => {
    source.add('chat', 1, 10);
    source.add('arms', 1, 10);
    await models.start(bus);
    const unknown = expect.objectContaining({
      code: 'not-found',
      message: 'model toString is not served; served are arms, chat',
      at: 'model',
    }) as Error;
    expect(() => models.resolve('toString')).toThrow(unknown);
    expect(() => models.info('toString')).toThrow(unknown);
  });

  test('what is known of a model comes from its card and from the engine', async () => {
    const { uri } = source.add('chat', 2, 10);
    await models.start(bus);
    expect(models.info('chat')).toMatchObject([
      {
        name: 'chat',
        version: 2,
        stage: 'sft',
        contextLength: 8,
        vocabularySize: 16,
        parameterCount: 1n,
        tokenizerSha256: 'f00d',
        uri,
        endTokenIds: [3],
      },
    ]);
    const [{ loadedAt }] = models.info('chat') as [{ loadedAt: { seconds: bigint } }];
    expect(Math.abs(Number(loadedAt.seconds) - Date.now() / 1000)).toBeLessThan(60);
  });
});

describe('published weights', () => {
  beforeEach(async () => {
    source.add('chat', 2, 20);
    await models.start(bus);
  });

  test('serve from then on', async () => {
    await publishAndWait(source.add('chat', 3, 30));
    expect(models.resolve('chat').version).toBe(3);
    await expect(answerOf('chat')).resolves.toEqual({ version: 3, number: 30 });
  });

  test('do not wait for their turn behind another model that is slow to load, nor overtake one of their own', async () => {
    const third = models.update(updateOf(source.add('chat', 3, 'slow30')));
    const fourth = models.update(updateOf(source.add('chat', 4, 40)));
    await models.update(updateOf(source.add('other', 1, 1)));
    expect(models.resolve('chat').version).toBe(2);
    await expect(third).resolves.toMatchObject({ version: 3 });
    await expect(fourth).resolves.toMatchObject({ version: 4 });
    await expect(answerOf('chat')).resolves.toEqual({ version: 4, number: 40 });
  });

  test('of an older version, of another kind, or published again change nothing', async () => {
    await publish(source.add('chat', 1, 10));
    await publish(source.add('taste', 9, 10, { kind: 'scalar' }));
    await publish(source.resolve('chat'));
    await publishAndWait(source.add('chat', 3, 30));
    expect(models.info('').map(({ name, version }) => `${name}@${version}`)).toEqual(['chat@3']);
    expect(logger.lines.filter(({ msg }) => msg === 'serving new weights')).toHaveLength(2);
    expect(logger.lines.filter(({ level }) => level === 50)).toEqual([]);
  });

  test('that are damaged are logged, and the old ones go on serving', async () => {
    const { folder } = source.add('chat', 3, 'no number');
    await publish(source.open(folder));
    await expect(logger.logged({ level: 50 })).resolves.toMatchObject({
      model: 'chat',
      version: 3,
      error: `${folder} is damaged`,
      msg: 'published weights were not loaded',
    });
    expect(models.resolve('chat').version).toBe(2);
    await expect(answerOf('chat')).resolves.toEqual({ version: 2, number: 20 });
    await publishAndWait(source.add('chat', 4, 40));
    await expect(answerOf('chat')).resolves.toEqual({ version: 4, number: 40 });
  });

  test('that are gone already are no error: a later version is on its way', async () => {
    await publish({ ...source.resolve('chat'), version: 3, uri: 'file:///nowhere' });
    await expect(logger.logged({ msg: 'published weights were not loaded' })).resolves.toMatchObject({
      level: 20,
      error: 'file:///nowhere is no folder of a model',
    });
    await expect(answerOf('chat')).resolves.toEqual({ version: 2, number: 20 });
  });

  test('whose digest is not the announced one are not served', async () => {
    await publish({ ...source.add('chat', 3, 30), sha256: 'ab'.repeat(32) });
    const line = await logger.logged({ level: 50 });
    expect(line['error']).toMatch(/3: the weights' digest is [\da-f]{64}, announced was (ab){32}$/);
    expect(models.resolve('chat').version).toBe(2);
  });

  test('that kill the engine are given up after three times, and the old ones are loaded again', async () => {
    await publish(source.add('chat', 3, 'deadly'));
    await expect(logger.logged({ msg: 'published weights were not loaded' })).resolves.toMatchObject({
      level: 50,
      version: 3,
      error: 'the engine ended unexpectedly (signal SIGKILL)',
    });
    expect(logger.lines.filter(({ reason }) => reason === 'signal SIGKILL')).toHaveLength(3);
    expect(models.resolve('chat').version).toBe(2);
    await expect(answerOf('chat')).resolves.toEqual({ version: 2, number: 20 });
  });

  test('are not followed after the stop', async () => {
    await models.stop();
    await publish(source.add('chat', 3, 30));
    const later = await bus.subscribe('crucible.weights.published', { from: 'all' }, () => seen.resolve(undefined));
    const seen = Promise.withResolvers<undefined>();
    await seen.promise;
    await later.close();
    expect(models.resolve('chat').version).toBe(2);
  });
});

describe('an engine that was killed', () => {
  test('has all models again', async () => {
    source.add('chat', 1, 10);
    source.add('code', 4, 44);
    await models.start(bus);
    process.kill(await engine.pid(), 'SIGKILL');
    await logger.logged({ reason: 'signal SIGKILL' });
    await expect(answerOf('chat')).resolves.toEqual({ version: 1, number: 10 });
    await expect(answerOf('code')).resolves.toEqual({ version: 4, number: 44 });
  });

  test('goes on without a model that cannot be loaded any more', async () => {
    source.add('chat', 1, 10);
    const code = source.add('code', 4, 44);
    await models.start(bus);
    source.add('code', 4, 'damaged since');
    process.kill(await engine.pid(), 'SIGKILL');
    await logger.logged({ reason: 'signal SIGKILL' });
    await expect(answerOf('chat')).resolves.toEqual({ version: 1, number: 10 });
    expect(() => models.resolve('code')).toThrow('model code is not served; served are chat');
    await expect(logger.logged({ msg: 'a model is no longer served' })).resolves.toMatchObject({
      level: 50,
      model: 'code',
      version: 4,
      error: `${code.folder} is damaged`,
    });
  });
});

describe('an update by call', () => {
  beforeEach(async () => {
    source.add('chat', 2, 20);
    await models.start(bus);
  });

  test('adds a model and answers with what is known of it', async () => {
    const model = source.add('code', 7, 70);
    await expect(models.update(updateOf(model, { sha256: model.sha256 }))).resolves.toMatchObject({
      name: 'code',
      version: 7,
      uri: model.uri,
    });
    await expect(answerOf('code')).resolves.toEqual({ version: 7, number: 70 });
  });

  test('serves a folder under the name and version of the call', async () => {
    const model = source.add('code', 7, 70);
    await models.update(updateOf(model, { model: 'chat', version: 5 }));
    expect(models.resolve('chat').version).toBe(5);
    await expect(answerOf('chat')).resolves.toEqual({ version: 5, number: 70 });
  });

  test('that is repeated does nothing, however its folder is written', async () => {
    const model = source.add('a model', 1, 5);
    expect(model.uri).toMatch(/a%20model/);
    await models.update(updateOf(model));
    for (const uri of [model.uri, `${model.uri}/`, model.folder, `${model.folder}/`, `${model.folder}/../1`])
      await models.update(updateOf(model, { uri }));
    expect(logger.lines.filter(({ model: name }) => name === 'a model')).toHaveLength(1);
  });

  test('goes back only when it says so', async () => {
    const older = source.add('chat', 1, 10);
    await expect(models.update(updateOf(older))).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'chat@2 is served, which is newer than 1; set allow_rollback to go back',
      at: 'version',
    });
    await models.update(updateOf(older, { allowRollback: true }));
    await expect(answerOf('chat')).resolves.toEqual({ version: 1, number: 10 });
  });

  test.each<[string, () => WeightUpdate, object]>([
    [
      'without a model',
      () => updateOf(source.resolve('chat'), { model: '' }),
      { code: 'invalid-input', message: 'model is empty; it names the model to update', at: 'model' },
    ],
    [
      'to version 0',
      () => updateOf(source.resolve('chat'), { version: 0 }),
      { code: 'invalid-input', message: 'version is 0; versions count from 1', at: 'version' },
    ],
    [
      'to a folder that does not exist',
      () => updateOf(source.resolve('chat'), { version: 3, uri: '/nowhere' }),
      { code: 'not-found', message: '/nowhere is no folder of a model', at: 'uri' },
    ],
    [
      'to the same version from another folder',
      () => updateOf(source.add('copy', 2, 20), { model: 'chat' }),
      { code: 'conflict', message: expect.stringMatching(/^chat@2 is served from .*chat\/2 already$/) as string },
    ],
    [
      'to a reward model',
      () => updateOf(source.add('taste', 1, 1, { kind: 'scalar' })),
      {
        code: 'invalid-input',
        message: expect.stringMatching(/taste\/1 holds a scalar model; a language model is needed$/) as string,
        at: 'uri',
      },
    ],
    [
      'with another digest',
      () => updateOf(source.add('chat', 3, 30), { sha256: 'beef' }),
      { code: 'data-loss', at: 'sha256' },
    ],
  ])('%s is refused and changes nothing', async (_what, update, error) => {
    await expect(models.update(update())).rejects.toMatchObject(error);
    expect(models.info('').map(({ name, version }) => `${name}@${version}`)).toEqual(['chat@2']);
    await expect(answerOf('chat')).resolves.toEqual({ version: 2, number: 20 });
  });
});

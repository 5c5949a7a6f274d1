import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { isAlive, type RecordingLogger, recordingLogger, untilGone } from '@crucible/service/testing';
import { temporaryFolder } from '@crucible/testing';
import { EngineWorker } from './engine-worker.ts';
import { modelEngine } from './model-engine.ts';
import { brokenEngineVariable, type ExampleEngineMethods } from './testing/example-engine.ts';
import { type ExampleSource, exampleSource } from './testing/example-source.ts';

interface Started extends RecordingLogger {
  readonly engine: EngineWorker<ExampleEngineMethods>;
  readonly source: ExampleSource;
}

/** An engine that has loaded the model `chat` and loads it again after a restart. */
async function startEngine(): Promise<Started> {
  const logger = recordingLogger();
  const module = new URL('./testing/example-engine.ts', import.meta.url);
  const engine = await EngineWorker.start<ExampleEngineMethods>(module, { name: 'the engine', log: logger.log });
  onTestFinished(() => engine.close());
  const source = exampleSource(temporaryFolder());
  const model = source.add('chat', 1, 42);
  const { load, onRestart } = modelEngine(engine);
  await load(model);
  onRestart(async (loadAgain) => {
    await loadAgain(model);
  });
  return { ...logger, engine, source };
}

async function kill(engine: Started['engine']): Promise<void> {
  const pid = await engine.pid();
  process.kill(pid, 'SIGKILL');
  await untilGone(pid);
}

/** Lets engines die as they start, until the test is over. */
function breakEngines(): void {
  vi.stubEnv(brokenEngineVariable, 'yes');
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

const answer = { version: 1, number: 42 };

test('an engine answers', async () => {
  const { engine } = await startEngine();
  await expect(engine.call('answer', { name: 'chat' })).resolves.toEqual(answer);
});

test('an engine that does not start in the first place is an error', async () => {
  breakEngines();
  await expect(startEngine()).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the engine did not start (exit code 9)',
  });
});

test('an engine that is killed fails what it was answering, is started anew, and answers with what it had', async () => {
  const { engine, logged } = await startEngine();
  const begun = Promise.withResolvers<undefined>();
  const answering = engine.call('answer', { name: 'chat', ms: 60_000 }, { onItem: () => begun.resolve(undefined) });
  answering.catch(() => undefined);
  await begun.promise;
  const before = await engine.pid();
  await kill(engine);
  await expect(answering).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the engine ended unexpectedly (signal SIGKILL)',
  });
  await expect(engine.call('answer', { name: 'chat' })).resolves.toEqual(answer);
  expect(await engine.pid()).not.toBe(before);
  await logged({ level: 50, worker: 'the engine', reason: 'signal SIGKILL' });
});

test('an engine that hangs is killed when a call is cancelled and does not end, and answers again', async () => {
  const { engine, logged } = await startEngine();
  const before = await engine.pid();
  const begun = Promise.withResolvers<undefined>();
  const options = { cancelGrace: 200, onItem: () => begun.resolve(undefined) };
  const controller = new AbortController();
  const hanging = engine.call('answer', { name: 'chat', hang: true }, { ...options, signal: controller.signal });
  await begun.promise;
  const other = engine.call('answer', { name: 'chat' });
  const reason = 'answer did not end within 200 ms of its cancellation';
  const failed = { code: 'unavailable', message: `the engine hung (${reason}) and was killed` };
  const failures = Promise.all([hanging, other].map((call) => expect(call).rejects.toMatchObject(failed)));
  controller.abort();
  await failures;
  await logged({ level: 50, worker: 'the engine', reason });
  await expect(engine.call('answer', { name: 'chat' })).resolves.toEqual(answer);
  expect(await engine.pid()).not.toBe(before);
  expect(isAlive(before)).toBe(false);
});

test('an engine that hangs as it loads a model is killed at the deadline, and answers from those it had', async () => {
  const { engine, source } = await startEngine();
  const { load } = modelEngine(engine, { loadDeadline: 200 });
  await expect(load(source.add('code', 1, 'endless'))).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the engine hung (load did not end within 200 ms) and was killed',
  });
  await expect(engine.call('answer', { name: 'chat' })).resolves.toEqual(answer);
});

test('calls that come while the engine is away wait until it has loaded its models again', async () => {
  const { engine, logged } = await startEngine();
  await kill(engine);
  await logged({ reason: 'signal SIGKILL' });
  const during: Promise<unknown>[] = [];
  // One after the other, so that some fall between the start of the process and the end of its loading.
  for (let i = 0; i < 50; i++) {
    during.push(engine.call('answer', { name: 'chat' }));
    await delay(10);
  }
  await expect(Promise.all(during)).resolves.toEqual(during.map(() => answer));
});

test('a call that waits for the engine can be cancelled', async () => {
  const { engine, logged } = await startEngine();
  breakEngines();
  await kill(engine);
  await logged({ reason: 'signal SIGKILL' });
  const controller = new AbortController();
  const waiting = engine.call('answer', { name: 'chat' }, { signal: controller.signal });
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled', message: 'answer was cancelled' });
});

test('the pauses between restarts grow while it keeps dying, and closing waits for none of them', async () => {
  const { engine, lines } = await startEngine();
  breakEngines();
  await kill(engine);
  const failures = (): number[] =>
    lines.filter(({ msg }) => msg === 'the engine did not start').map(({ time }) => time);
  while (failures().length < 4) await delay(10);
  const [first, second, third, fourth] = failures() as [number, number, number, number];
  // Each pause is twice the one before; starting takes its time besides.
  expect(second - first).toBeGreaterThanOrEqual(200);
  expect(third - second).toBeGreaterThanOrEqual(400);
  expect(fourth - third).toBeGreaterThanOrEqual(800);
  expect(lines.at(-1)).toMatchObject({ level: 50, error: 'the engine did not start (exit code 9)' });

  const waiting = engine.call('answer', { name: 'chat' });
  const begun = performance.now();
  await engine.close();
  expect(performance.now() - begun).toBeLessThan(1600);
  await expect(waiting).rejects.toMatchObject({ code: 'unavailable', message: 'the engine was stopped' });
});

test('a fresh process that cannot be given its models back is ended before the next one is tried', async () => {
  const { engine } = await startEngine();
  const pids: number[] = [];
  engine.onRestart((fresh) => {
    pids.push(fresh.pid!);
    return pids.length < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
  });
  await kill(engine);
  await expect(engine.call('answer', { name: 'chat' })).resolves.toEqual(answer);
  expect(pids).toHaveLength(3);
  expect(pids.map(isAlive)).toEqual([false, false, true]);
});

test('closing ends the process, and calls fail from then on', async () => {
  const { engine } = await startEngine();
  const pid = await engine.pid();
  await engine.close();
  expect(isAlive(pid)).toBe(false);
  await expect(engine.call('answer', { name: 'chat' })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the engine is not running',
  });
});

test('closing while a fresh process is being given its models leaves none behind', async () => {
  const { engine } = await startEngine();
  const pid = Promise.withResolvers<number>();
  engine.onRestart(async (fresh) => {
    pid.resolve(fresh.pid!);
    await fresh.call('answer', { name: 'chat', ms: 60_000 });
  });
  await kill(engine);
  const fresh = await pid.promise;
  await engine.close();
  expect(isAlive(fresh)).toBe(false);
});

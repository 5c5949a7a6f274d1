import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ExampleMethods } from './testing/example-worker.ts';
import { isAlive, untilGone } from './testing/processes.ts';
import { WorkerProcess, type WorkerOptions } from './worker-process.ts';

const module = new URL('./testing/example-worker.ts', import.meta.url);

function startWorker(options: Partial<WorkerOptions> = {}): Promise<WorkerProcess<ExampleMethods>> {
  return WorkerProcess.start<ExampleMethods>(module, { name: 'the worker', ...options });
}

async function startForTest(): Promise<WorkerProcess<ExampleMethods>> {
  const worker = await startWorker();
  onTestFinished(() => worker.stop(0));
  return worker;
}

/** Calls a method that says when it has begun; resolves then. */
async function begin(
  worker: WorkerProcess<ExampleMethods>,
  method: 'untilCancelled' | 'hang',
  options: { readonly signal?: AbortSignal; readonly cancelGrace?: number } = {},
): Promise<{ readonly ended: Promise<string> }> {
  const begun = Promise.withResolvers<undefined>();
  const ended = worker.call(method, null, { ...options, onItem: () => begun.resolve(undefined) });
  ended.catch(() => undefined);
  await begun.promise;
  return { ended };
}

describe('a worker process answers', () => {
  let worker: WorkerProcess<ExampleMethods>;
  beforeAll(async () => {
    worker = await startWorker({ env: { CRUCIBLE_TEST_VALUE: 'given' } });
  });
  afterAll(() => worker.stop());

  test('from another process', async () => {
    expect(worker.pid).not.toBe(process.pid);
    await expect(worker.call('add', [1, 2, 3])).resolves.toBe(6);
  });

  test('many calls at once, each with its own answer', async () => {
    const sums = await Promise.all(Array.from({ length: 200 }, (_, i) => worker.call('add', [i, 1])));
    expect(sums).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });

  test('with typed arrays, bigints, maps and undefined as they are', async () => {
    const value = { floats: Float32Array.of(0.5, -0, NaN), big: 2n ** 64n, map: new Map([[1, undefined]]) };
    await expect(worker.call('echo', value)).resolves.toEqual(value);
  });

  test('with items first, in order, and then the result', async () => {
    const items: number[] = [];
    await expect(worker.call('count', 1000, { onItem: (item) => items.push(item) })).resolves.toBe('counted to 1000');
    expect(items).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  });

  test('in an environment with what was added to it', async () => {
    await expect(worker.call('environment', 'CRUCIBLE_TEST_VALUE')).resolves.toBe('given');
    await expect(worker.call('environment', 'PATH')).resolves.toBe(process.env['PATH']);
  });

  test('errors with code, message and place', async () => {
    const refused = worker.call('refuse', 'that');
    await expect(refused).rejects.toMatchObject({
      name: 'CrucibleError',
      code: 'invalid-input',
      message: 'that is not allowed',
      at: 'what',
    });
  });

  test('a bug of its own as an internal error with the stack of where it is, and goes on', async () => {
    const error = await worker.call('crash', null).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'internal', message: 'a bug in the worker' });
    expect(error.stack).toContain('example-worker.ts');
    await expect(worker.call('add', [1])).resolves.toBe(1);
  });

  test('a method that it does not have with an internal error', async () => {
    await expect(worker.call('subtract' as 'add', [])).rejects.toMatchObject({
      code: 'internal',
      message: 'internal: the worker has no method subtract',
    });
  });

  test('what cannot be sent with an error and not with silence', async () => {
    await expect(worker.call('echo', () => undefined)).rejects.toThrow(/could not be cloned/);
    await expect(worker.call('add', [2])).resolves.toBe(2);
  });
});

describe('cancelling a call', () => {
  test('tells the worker, whose answer ends the call', async () => {
    const worker = await startForTest();
    const controller = new AbortController();
    const { ended } = await begin(worker, 'untilCancelled', { signal: controller.signal });
    controller.abort();
    await expect(ended).resolves.toBe('stopped: the caller cancelled');
  });

  test('leaves other calls alone', async () => {
    const worker = await startForTest();
    const [one, other] = [new AbortController(), new AbortController()];
    const first = await begin(worker, 'untilCancelled', { signal: one.signal });
    const second = await begin(worker, 'untilCancelled', { signal: other.signal });
    one.abort();
    await first.ended;
    await expect(Promise.race([second.ended, worker.call('add', [7])])).resolves.toBe(7);
    other.abort();
    await second.ended;
  });

  test('that was cancelled before it began does not bother the worker', async () => {
    const worker = await startForTest();
    const cancelled = worker.call('exit', 1, { signal: AbortSignal.abort() });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled', message: 'exit was cancelled' });
    await expect(worker.call('add', [1])).resolves.toBe(1);
  });

  test('of a worker that hangs kills it after the grace, and fails whatever else waits for it', async () => {
    const worker = await startForTest();
    const controller = new AbortController();
    const { ended } = await begin(worker, 'hang', { signal: controller.signal, cancelGrace: 100 });
    const other = worker.call('add', [1, 2]);
    controller.abort();
    const hung = 'hang did not end within 100 ms of its cancellation';
    const error = { code: 'unavailable', message: `the worker hung (${hung}) and was killed` };
    await Promise.all([
      expect(ended).rejects.toMatchObject(error),
      expect(other).rejects.toMatchObject(error),
      expect(worker.exited).resolves.toBe(hung),
    ]);
    expect(isAlive(worker.pid!)).toBe(false);
  });
});

describe('a worker process that dies', () => {
  test.each([
    ['by SIGKILL', (pid: number) => process.kill(pid, 'SIGKILL'), 'signal SIGKILL'],
    ['by SIGSEGV', (pid: number) => process.kill(pid, 'SIGSEGV'), 'signal SIGSEGV'],
  ])('%s fails what waits, and what comes later, with a clear error', async (_how, kill, reason) => {
    const worker = await startForTest();
    const { ended } = await begin(worker, 'untilCancelled');
    kill(worker.pid!);
    await expect(ended).rejects.toMatchObject({
      code: 'unavailable',
      message: `the worker ended unexpectedly (${reason})`,
    });
    await expect(worker.exited).resolves.toBe(reason);
    await expect(worker.call('add', [1])).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the worker is not running',
    });
  });

  test('by its own exit says the exit code', async () => {
    const worker = await startForTest();
    await expect(worker.call('exit', 3)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the worker ended unexpectedly (exit code 3)',
    });
  });

  test('before it was ready fails the start', async () => {
    const exiting = new URL('./testing/exiting-process.ts', import.meta.url);
    await expect(WorkerProcess.start(exiting, { name: 'the worker' })).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the worker did not start (exit code 4)',
    });
  });

  test('or is not ready in time fails the start with the time that it had', async () => {
    await expect(startWorker({ startDeadline: 1 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: 'the worker: no answer within 1 ms',
    });
  });
});

describe('a worker process leaves nothing behind', () => {
  test('when it is disposed of', async () => {
    let pid: number;
    {
      await using worker = await startWorker();
      pid = worker.pid!;
      expect(isAlive(pid)).toBe(true);
    }
    expect(isAlive(pid)).toBe(false);
  });

  test('when it is stopped twice, at once or dead already', async () => {
    const worker = await startWorker();
    await Promise.all([worker.stop(), worker.stop()]);
    await worker.stop();
    expect(isAlive(worker.pid!)).toBe(false);
  });

  test('when it hangs: it is killed after the grace', async () => {
    const worker = await startForTest();
    const { ended } = await begin(worker, 'hang');
    await worker.stop(100);
    await expect(worker.exited).resolves.toBe('signal SIGKILL');
    await expect(ended).rejects.toMatchObject({ code: 'unavailable', message: 'the worker was stopped' });
  });

  test('when its host is killed', async () => {
    const host = spawn(process.execPath, [fileURLToPath(new URL('./testing/host-of-worker.ts', import.meta.url))]);
    const [line] = (await once(host.stdout, 'data')) as [Buffer];
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);
    host.kill('SIGKILL');
    await untilGone(pid);
  });

  test('and does not end by the signals that end its host, which has calls to finish', async () => {
    const worker = await startForTest();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(worker.pid!, signal);
    await expect(worker.call('add', [1, 1])).resolves.toBe(2);
  });
});

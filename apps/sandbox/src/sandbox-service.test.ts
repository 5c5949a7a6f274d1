import { fileURLToPath } from 'node:url';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bus, type BusEvent, createBus } from '@crucible/bus';
import type { CrucibleError } from '@crucible/foundation';
import { HealthCheckResponse_ServingStatus as ServingStatus, Health } from '@crucible/protos/grpc/health/v1';
import {
  Boundary,
  type ExecuteRequestSchema,
  type ExecutionFinished,
  Outcome,
  OutputStream,
  SandboxService,
} from '@crucible/protos/sandbox/v1';
import { type Client, createClient } from '@crucible/rpc';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';
import { createSandboxService, type SandboxDependencies } from './sandbox-service.ts';

const timeout = 180_000;
const cache = fileURLToPath(new URL('../../../node_modules/.cache/crucible-sandbox', import.meta.url));
const { log, logged } = recordingLogger();
const wait = { timeout: 30_000, interval: 20 };

let bus: Bus;
const events: BusEvent[] = [];
let service: Service;
let client: Client<typeof SandboxService>;

function start(options: Partial<SandboxDependencies> = {}): Promise<Service> {
  return createSandboxService({ bus, log, host: '127.0.0.1', port: 0, concurrency: 2, queue: 1, cache, ...options });
}

beforeAll(async () => {
  bus = await createBus('embedded:');
  await bus.subscribe('crucible.>', {}, ({ event }) => void events.push(event));
  service = await start();
  client = createClient(SandboxService, service.target, { deadlineMs: timeout });
}, timeout);
afterAll(async () => {
  client.close();
  await service.close(0);
  await bus.close();
}, timeout);

interface Execution {
  readonly runId: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly finished: ExecutionFinished;
}

async function execute(
  request: MessageInitShape<typeof ExecuteRequestSchema>,
  signal?: AbortSignal,
): Promise<Execution> {
  const said: string[][] = [[], [], []];
  const files = new Map<string, Buffer>();
  let runId = '';
  for await (const { event } of client.execute(request, signal && { signal })) {
    if (event.case === 'started') runId = event.value.runId;
    else if (event.case === 'output') said[event.value.stream]!.push(Buffer.from(event.value.content).toString());
    else if (event.case === 'file') {
      const { path, content } = event.value;
      files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), content]));
    } else if (event.case === 'finished') {
      const [stdout, stderr] = [OutputStream.STDOUT, OutputStream.STDERR].map((stream) => said[stream]!.join(''));
      return { runId, stdout: stdout!, stderr: stderr!, files, finished: event.value };
    }
  }
  throw new Error('the stream ended without an end of the run');
}

describe('Execute', () => {
  it('streams what a program says, its files in pieces, its value and how it ended', { timeout }, async () => {
    const { runId, stdout, stderr, files, finished } = await execute({
      runId: 'first',
      code: 'import sys, data\nprint(sys.argv[1], sys.stdin.read())\nprint("beside", file=sys.stderr)\nopen("large", "wb").write(b"ab" * 1_500_000)\nopen("empty", "w").close()',
      args: ['one'],
      stdin: Buffer.from('two'),
      files: [{ path: 'data.py', content: Buffer.from('x = 20') }],
      value: { case: 'expression', value: 'data.x + 1' },
      collectFiles: true,
      limits: { wallMs: 30_000, processes: 4 },
    });
    expect({ runId, stdout, stderr }).toEqual({ runId: 'first', stdout: 'one two\n', stderr: 'beside\n' });
    expect([...files.keys()].sort()).toEqual(['empty', 'large']);
    expect(files.get('large')!.equals(Buffer.from('ab'.repeat(1_500_000)))).toBe(true);
    expect(files.get('empty')!).toHaveLength(0);
    expect(finished).toMatchObject({
      outcome: Outcome.OK,
      message: '',
      exitCode: 0,
      value: { repr: '21', json: '21' },
      boundary: (await client.getSandboxInfo({})).boundary,
    });
    expect(finished.exception).toBeUndefined();
    expect(finished.usage!.outputBytes).toBe(15);
    await expect
      .poll(() => events.find(({ subject }) => subject === 'first'), wait)
      .toMatchObject({
        type: 'crucible.program.executed',
        source: '/sandbox',
        data: { runId: 'first', outcome: 'ok', exitCode: 0, outputBytes: 15 },
      });
  });

  it('tells what went wrong in the program, with the status OK', { timeout }, async () => {
    const { finished, runId } = await execute({ code: '1 / 0', limits: { wallMs: 30_000 } });
    expect(runId).toMatch(/^[0-9a-f-]{36}$/);
    expect(finished).toMatchObject({
      outcome: Outcome.ERROR,
      message: 'ZeroDivisionError: division by zero',
      exitCode: 1,
      exception: { type: 'ZeroDivisionError', message: 'division by zero' },
    });
    expect((await execute({ code: 'while True: pass', limits: { wallMs: 300 } })).finished).toMatchObject({
      outcome: Outcome.TIMEOUT,
      message: 'it did not end within 300 ms',
    });
  });

  it('refuses a wrong request with the field', async () => {
    const refused = (request: MessageInitShape<typeof ExecuteRequestSchema>) =>
      execute(request).then(
        () => 'it was run',
        (reason: unknown) => {
          const { code, at, message } = reason as CrucibleError;
          return `${code} ${at}: ${message}`;
        },
      );
    expect(await refused({})).toBe('invalid-input code: code: it is empty; a Python program is needed');
    expect(await refused({ code: '1', runId: 'a b' })).toBe(
      'invalid-input run_id: run_id: at most 128 visible ASCII characters are allowed',
    );
    expect(await refused({ code: '1', limits: { wallMs: 0 } })).toBe(
      'invalid-input limits.wall_ms: limits.wall_ms: 0 is given; 1 to 300000 are allowed',
    );
    expect(await refused({ code: '1', limits: { memoryBytes: 2n ** 63n } })).toContain('limits.memory_bytes');
    expect(await refused({ code: '1', files: [{ path: '/etc/passwd' }] })).toBe(
      'invalid-input files[0].path: files[0].path: "/etc/passwd" has an empty name; a relative path of plain names is allowed',
    );
  });

  it('ends the program when its caller leaves, and bounds runs, waiting and ids', { timeout }, async () => {
    const stop = new AbortController();
    const sleep = { code: 'print("on", flush=True)\nimport time\ntime.sleep(60)', limits: { wallMs: 60_000 } };
    const first = execute({ ...sleep, runId: 'leaving' }, stop.signal);
    const second = execute(sleep, stop.signal);
    await expect.poll(async () => (await client.getSandboxInfo({})).running, wait).toBe(2);
    await expect(execute({ code: '1', runId: 'leaving' })).rejects.toMatchObject({ code: 'conflict', at: 'run_id' });
    const third = execute({ code: '1', limits: { wallMs: 30_000 } });
    await expect.poll(async () => (await client.getSandboxInfo({})).waiting, wait).toBe(1);
    await expect(execute({ code: '1' })).rejects.toMatchObject({ code: 'resource-exhausted' });
    stop.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    expect((await third).finished.outcome).toBe(Outcome.OK);
    await expect
      .poll(() => events.find(({ subject }) => subject === 'leaving')?.data, wait)
      .toMatchObject({ outcome: 'cancelled' });
  });
});

describe('health and info', () => {
  it('name the boundary, and show a weaker one', { timeout }, async () => {
    const info = await client.getSandboxInfo({});
    expect([Boundary.BUBBLEWRAP, Boundary.PYODIDE]).toContain(info.boundary);
    expect(info.python).toMatch(/^CPython 3\.\d+\.\d+/);
    const health = createClient(Health, service.target, {});
    const statusOf = async (name: string): Promise<ServingStatus> => (await health.check({ service: name })).status;
    expect(await statusOf('')).toBe(ServingStatus.SERVING);
    expect(await statusOf(SandboxService.typeName)).toBe(ServingStatus.SERVING);
    expect(await statusOf('crucible.sandbox.v1.SandboxService/full-strength')).toBe(
      info.weaknesses.length === 0 ? ServingStatus.SERVING : ServingStatus.NOT_SERVING,
    );
    health.close();
  });

  it('show that nothing is run where no boundary can be had', { timeout }, async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    const starting = start({ boundary: 'bubblewrap' });
    process.env['PATH'] = path;
    const bare = await starting;
    const there = createClient(SandboxService, bare.target, { deadlineMs: timeout });
    const health = createClient(Health, bare.target, {});
    try {
      const refusal = {
        code: 'failed-precondition',
        message: 'bubblewrap cannot be used: bwrap is not on PATH (Debian: apt-get install bubblewrap)',
      };
      await expect(there.getSandboxInfo({})).rejects.toMatchObject(refusal);
      await expect(there.execute({ code: '1' }).next()).rejects.toMatchObject(refusal);
      expect((await health.check({ service: '' })).status).toBe(ServingStatus.NOT_SERVING);
      await logged({ msg: 'no program will be run' });
    } finally {
      there.close();
      health.close();
      await bare.close(0);
    }
  });
});

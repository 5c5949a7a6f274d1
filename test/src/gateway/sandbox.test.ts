/** The sandbox through the gateway: HTTP in front, a real boundary behind. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGatewayService } from '@crucible/gateway';
import { createSandboxService } from '@crucible/sandbox-service';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';

const timeout = 180_000;
const cache = fileURLToPath(new URL('../../../node_modules/.cache/crucible-sandbox', import.meta.url));
const { log } = recordingLogger();
const common = { log, host: '127.0.0.1', port: 0 };
let sandbox: Service;
let gateway: Service;

beforeAll(async () => {
  sandbox = await createSandboxService({ ...common, bus: undefined, cache, concurrency: 1, queue: 1 });
  gateway = await createGatewayService({
    ...common,
    policyTarget: '127.0.0.1:1',
    retrieverTarget: '127.0.0.1:1',
    trainerTarget: '127.0.0.1:1',
    actorTarget: '127.0.0.1:1',
    sandboxTarget: sandbox.target,
  });
}, timeout);
afterAll(async () => {
  await gateway.close(0);
  await sandbox.close(0);
}, timeout);

function execute(body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(`http://${gateway.target}/v1/sandbox/execute`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function answer(body: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await execute(body);
  return { status: response.status, body: await response.json() };
}

const limits = { wall_ms: 30_000 };

describe('POST /v1/sandbox/execute', () => {
  it('runs a program and answers whole', { timeout }, async () => {
    const code =
      'import sys, given\nprint("é", sys.argv[1], sys.stdin.read(), open("data.bin", "rb").read())\nopen("out.txt", "w").write("ü")\nprint("oh", file=sys.stderr)';
    expect(
      await answer({
        id: 'one',
        code,
        args: ['a'],
        stdin: 'b',
        files: [
          { path: 'given.py', content: 'x = 1.5' },
          { path: 'data.bin', content_base64: '/wA=' },
        ],
        expression: '{"x": given.x}',
        collect_files: true,
        limits,
      }),
    ).toEqual({
      status: 200,
      body: {
        id: 'one',
        object: 'sandbox.execution',
        outcome: 'ok',
        message: '',
        boundary: expect.stringMatching(/^(bubblewrap|pyodide)$/) as string,
        exit_code: 0,
        exception: null,
        value: { repr: "{'x': 1.5}", json: '{"x": 1.5}' },
        usage: {
          wall_ms: expect.any(Number) as number,
          cpu_ms: expect.any(Number) as number,
          peak_memory_bytes: expect.any(Number) as number,
          output_bytes: 22,
        },
        stdout: "é a b b'\\xff\\x00'\n",
        stderr: 'oh\n',
        files: [{ path: 'out.txt', content_base64: 'w7w=' }],
      },
    });
    expect(await answer({ code: 'f()', limits })).toMatchObject({
      status: 200,
      body: {
        outcome: 'error',
        exit_code: 1,
        exception: { type: 'NameError', message: "name 'f' is not defined" },
        value: null,
      },
    });
  });

  it('streams, and ends the program when the caller leaves', { timeout }, async () => {
    const response = await execute({ code: 'print("a")\nprint("b")\n7', last_value: true, limits, stream: true });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = (await response.text())
      .trim()
      .split('\n\n')
      .map((event) => event.replace(/^data: /, ''));
    expect(events.at(-1)).toBe('[DONE]');
    const pieces = events.slice(0, -1).map((event) => JSON.parse(event) as { type: string; text?: string });
    expect(pieces[0]).toMatchObject({ type: 'started', id: expect.any(String) as string });
    expect(pieces.flatMap(({ text }) => text ?? []).join('')).toBe('a\nb\n');
    expect(pieces.at(-1)).toMatchObject({ type: 'finished', outcome: 'ok', value: { json: '7' } });

    const stop = new AbortController();
    const long = await execute({ code: 'while True: pass', limits: { wall_ms: 60_000 }, stream: true }, stop.signal);
    await long.body!.getReader().read();
    stop.abort();
    // There is room for one at a time: this one runs as soon as that has ended.
    expect(await answer({ code: '1', limits })).toMatchObject({ status: 200, body: { outcome: 'ok' } });
  });

  it.each([
    ['{', 'body', /^the body is no JSON: /],
    [{}, 'code', 'code: it is missing; a string is allowed'],
    [{ code: ' ' }, 'code', 'code: it is empty; a Python program is needed'],
    [{ code: '1', cwd: '/' }, 'cwd', 'cwd: this field is not known or not supported here'],
    [{ code: '1', limits: { wall_ms: 1.5 } }, 'limits.wall_ms', /^limits\.wall_ms: 1\.5 is given; a whole number /],
    [
      { code: '1', limits: { memory_bytes: 1 } },
      'limits.memory_bytes',
      'limits.memory_bytes: 1 is given; 33554432 to 4294967296 are allowed',
    ],
    [{ code: '1', files: [{ path: 'a' }] }, 'files[0].content', /^files\[0\]\.content: either content, which is text,/],
    [
      { code: '1', files: [{ path: 'a', content_base64: '?' }] },
      'files[0].content_base64',
      'files[0].content_base64: "?" is given; base64 is allowed',
    ],
    [
      { code: '1', files: [{ path: '../a', content: '' }] },
      'files[0].path',
      /^files\[0\]\.path: "\.\.\/a" has the name /,
    ],
    [{ code: '1', expression: 'x', last_value: true }, 'expression', /^expression is only allowed without last_value/],
  ])('refuses %j with the field', async (body, param, message) => {
    const { status, body: told } = await answer(body);
    expect({ status, told }).toMatchObject({
      status: 400,
      told: {
        error: {
          param,
          type: 'invalid_request_error',
          message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
        },
      },
    });
  });

  it('answers 429 when there is no room, and 503 when there is no sandbox', { timeout }, async () => {
    const stop = new AbortController();
    const sleep = { code: 'import time\ntime.sleep(60)', limits: { wall_ms: 60_000 } };
    const held = [execute(sleep, stop.signal), execute(sleep, stop.signal)].map((call) => call.catch(() => undefined));
    await expect
      .poll(async () => (await fetch(`http://${gateway.target}/v1/sandbox`)).json(), { timeout: 20_000 })
      .toMatchObject({ object: 'sandbox', running: 1, waiting: 1, weaknesses: expect.any(Array) as unknown[] });
    expect(await answer({ code: '1' })).toMatchObject({ status: 429, body: { error: { code: 'resource_exhausted' } } });
    stop.abort();
    await Promise.all(held);
    const alone = await createGatewayService({
      ...common,
      policyTarget: '127.0.0.1:1',
      retrieverTarget: '127.0.0.1:1',
      trainerTarget: '127.0.0.1:1',
      actorTarget: '127.0.0.1:1',
      sandboxTarget: '127.0.0.1:1',
    });
    const refused = await fetch(`http://${alone.target}/v1/sandbox/execute`, { method: 'POST', body: '{"code": "1"}' });
    expect(refused.status).toBe(503);
    await alone.close(0);
  });
});

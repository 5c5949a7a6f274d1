/** One contract, held by both boundaries. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundaryNames } from './boundary.ts';
import type { RunResult } from './outcome.ts';
import type { Program } from './program.ts';
import { Sandbox } from './sandbox.ts';
import { openTestBoundary, requireBoundary } from './testing/require-boundary.ts';

const timeout = 180_000;
/** What the machine may need besides the limit when it is busy. */
const wallMs = 60_000;

for (const name of boundaryNames) {
  await requireBoundary(name, `a sandbox behind ${name}`, () => {
    let sandbox: Sandbox;
    beforeAll(async () => {
      sandbox = new Sandbox(await openTestBoundary(name), { concurrency: 2, queue: 2, warm: 1 });
    }, timeout);
    afterAll(() => sandbox.close(), timeout);

    interface Run extends RunResult {
      readonly stdout: string;
      readonly stderr: string;
    }

    async function run(program: Program | string, signal?: AbortSignal): Promise<Run> {
      const said = { stdout: '', stderr: '' };
      const given = typeof program === 'string' ? { code: program } : program;
      const result = await sandbox.run(
        { ...given, limits: { wallMs, ...given.limits } },
        {
          onOutput: (stream, bytes) => (said[stream] += Buffer.from(bytes).toString()),
          ...(signal && { signal }),
        },
      );
      return { ...result, ...said };
    }

    it(
      'runs a program with input, arguments and files, and gives back output, value and files',
      { timeout },
      async () => {
        const result = await run({
          code: [
            'import sys, helper, pathlib',
            'print(sys.argv[1:], sys.stdin.read().upper(), helper.twice(21))',
            'print("beside", file=sys.stderr)',
            'pathlib.Path("deep/er").mkdir(parents=True)',
            'pathlib.Path("deep/er/out.bin").write_bytes(bytes(range(256)))',
            'pathlib.Path("data.txt").write_text("changed")',
            'answer = {"pi": 3.25, "of": [1, None, "ü"]}',
          ].join('\n'),
          args: ['one', '-x', 'ä b'],
          stdin: Buffer.from('in\n'),
          files: [
            { path: 'helper.py', content: Buffer.from('def twice(x): return 2 * x') },
            { path: 'data.txt', content: Buffer.from('given') },
          ],
          expression: 'answer',
          collectFiles: true,
        });
        expect(result).toMatchObject({
          outcome: 'ok',
          message: '',
          exitCode: 0,
          exception: undefined,
          value: { json: '{"pi": 3.25, "of": [1, null, "ü"]}', repr: "{'pi': 3.25, 'of': [1, None, 'ü']}" },
          stdout: "['one', '-x', 'ä b'] IN\n 42\n",
          stderr: 'beside\n',
          boundary: name,
        });
        expect(
          new Map(result.files.map(({ path, content }) => [path, Buffer.from(content).toString('latin1')])),
        ).toEqual(
          new Map([
            ['data.txt', 'changed'],
            ['deep/er/out.bin', Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1')],
          ]),
        );
        expect(result.usage.wallMs).toBeGreaterThan(0);
        expect(result.usage.peakMemoryBytes).toBeGreaterThan(1_000_000);
        expect(result.usage.outputBytes).toBe(Buffer.byteLength(result.stdout + result.stderr));
      },
    );

    it('gives the value of the last statement, where it is an expression', { timeout }, async () => {
      expect((await run({ code: 'x = 9283\nx * 31231.231', lastValue: true })).value).toEqual({
        repr: '289919517.373',
        json: '289919517.373',
      });
      expect((await run({ code: 'x = 1', lastValue: true })).value).toBeUndefined();
      expect((await run({ code: 'float("nan")', lastValue: true })).value).toEqual({ repr: 'nan', json: undefined });
    });

    it('tells an exception, an exit code and a wrong program', { timeout }, async () => {
      expect(await run('def f():\n    return 1 / 0\nprint("before")\nf()')).toMatchObject({
        outcome: 'error',
        message: 'ZeroDivisionError: division by zero',
        exitCode: 1,
        exception: {
          type: 'ZeroDivisionError',
          message: 'division by zero',
          traceback: expect.stringMatching(/^Traceback [^]*program\.py", line 2, in f\n {4}return 1 \/ 0\n/) as string,
        },
        stdout: 'before\n',
        stderr: expect.stringContaining('ZeroDivisionError: division by zero') as string,
      });
      expect(await run('import sys\nsys.exit(3)')).toMatchObject({
        outcome: 'error',
        message: 'it ended with exit code 3',
        exitCode: 3,
        exception: undefined,
      });
      expect(await run('x = = 1')).toMatchObject({ outcome: 'error', exception: { type: 'SyntaxError' } });
      expect(await run({ code: 'import os\nos._exit(0)', expression: 'f()' })).toMatchObject({
        outcome: 'error',
        message: 'it ended before the expression could be evaluated',
        exitCode: 0,
      });
    });

    it('ends what meets a limit, each with its own outcome', { timeout }, async () => {
      // By default both limits of time are the same, and either may be met first.
      const slow = 'print("begun", flush=True)\nwhile True: pass';
      const late = await run({ code: slow, limits: { wallMs: 700, cpuMs: 60_000 } });
      expect(late).toMatchObject({ outcome: 'timeout', message: 'it did not end within 700 ms', exitCode: undefined });
      expect(await run({ code: 'while True: pass', limits: { cpuMs: 150 } })).toMatchObject({
        outcome: 'timeout',
        message: 'it used more than 150 ms of processor time',
      });
      const memory = { memoryBytes: 64 << 20 };
      expect(await run({ code: 'a = []\nwhile True: a.append(bytearray(1 << 20))', limits: memory })).toMatchObject({
        outcome: 'memory',
        message: 'it needed more than 67108864 bytes of memory',
      });
      const loud = await run({ code: 'while True: print("x" * 99)', limits: { outputBytes: 1000 } });
      expect(loud).toMatchObject({ outcome: 'output_limit', message: 'it wrote more than 1000 bytes of output' });
      expect(loud.stdout).toHaveLength(1000);
      expect(loud.usage.outputBytes).toBe(1000);
      const files = 'for i in range(3): open(f"f{i}", "w").write("x" * 600_000)';
      expect(await run({ code: files, collectFiles: true, limits: { files: 2 } })).toMatchObject({
        outcome: 'output_limit',
        message: 'it left more than 2 files',
        files: [],
      });
      expect(await run({ code: files, limits: { diskBytes: 1 << 20 } })).toMatchObject({
        outcome: 'error',
        exception: { type: 'OSError', message: expect.stringContaining('No space left on device') as string },
      });
    });

    it('ends what is not wanted any more, before its turn and after', { timeout }, async () => {
      const stop = new AbortController();
      const running = sandbox.run(
        { code: 'print(1, flush=True)\nwhile True: pass', limits: { wallMs } },
        { signal: stop.signal, onOutput: () => stop.abort() },
      );
      expect(await running).toMatchObject({ outcome: 'cancelled', message: 'it was cancelled' });
      await expect(run('1', AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    });

    it('streams output while the program runs', { timeout }, async () => {
      const stop = new AbortController();
      const said: string[] = [];
      const code = 'import time\nfor i in range(1000):\n  print(i, flush=True)\n  time.sleep(.02)';
      const result = await sandbox.run(
        { code, limits: { wallMs } },
        {
          signal: stop.signal,
          onOutput: (_stream, bytes) => {
            said.push(Buffer.from(bytes).toString());
            if (said.length === 3) stop.abort();
          },
        },
      );
      expect(result.outcome).toBe('cancelled');
      expect(said.join('')).toMatch(/^0\n1\n2\n/);
    });

    it('keeps nothing of one run for the next, and draws other numbers', { timeout }, async () => {
      const code =
        'import os, random\nseen = os.path.exists("/tmp/left"), hasattr(random, "left")\nopen("/tmp/left", "w").close()\nrandom.left = 1\n(*seen, random.random())';
      const [first, second] = [await run({ code, lastValue: true }), await run({ code, lastValue: true })];
      expect(first.value!.json).toMatch(/^\[false, false, 0\.\d+\]$/);
      expect(second.value!.json).toMatch(/^\[false, false, 0\.\d+\]$/);
      expect(first.value!.json).not.toBe(second.value!.json);
    });

    it('runs as many at a time as it may, lets some wait, and refuses the rest', { timeout }, async () => {
      const stop = new AbortController();
      const { signal } = stop;
      const sleep = { code: 'import time\ntime.sleep(30)', limits: { wallMs: 60_000 } };
      const running = [sandbox.run(sleep, { signal }), sandbox.run(sleep, { signal })];
      const leaving = new AbortController();
      const left = sandbox.run(sleep, { signal: leaving.signal });
      const waiting = sandbox.run({ code: '6 * 7', lastValue: true, limits: { wallMs } });
      await expect(sandbox.run(sleep)).rejects.toMatchObject({
        code: 'resource-exhausted',
        message: '2 programs run and 2 wait already; try again later',
      });
      expect(sandbox.state).toMatchObject({ boundary: name, running: 2, waiting: 2 });
      leaving.abort();
      await expect(left).rejects.toMatchObject({ code: 'cancelled' });
      stop.abort();
      expect((await Promise.all(running)).map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled']);
      expect((await waiting).value?.json).toBe('42');
      expect(sandbox.state).toMatchObject({ running: 0, waiting: 0 });
    });

    it('refuses what cannot be run as given, before anything starts', async () => {
      await expect(run({ code: '' })).rejects.toMatchObject({ code: 'invalid-input', at: 'code' });
      await expect(run({ code: '1', files: [{ path: '../evil', content: Buffer.alloc(0) }] })).rejects.toMatchObject({
        code: 'invalid-input',
        at: 'files[0].path',
      });
      expect(sandbox.state.running).toBe(0);
    });

    it('survives the death of an interpreter, waiting or at work', { timeout }, async () => {
      await sandbox.warmUp();
      for (const pid of childrenOf(process.pid)) if (isInterpreter(pid)) process.kill(pid, 'SIGKILL');
      await expect.poll(() => sandbox.state.warm, { interval: 1 }).toBe(0);
      expect((await run({ code: '1 + 1', lastValue: true })).outcome).toBe('ok');

      const running = sandbox.run(
        { code: 'print(1, flush=True)\nwhile True: pass', limits: { wallMs } },
        {
          onOutput: () => {
            for (const pid of childrenOf(process.pid)) if (isInterpreter(pid)) process.kill(pid, 'SIGKILL');
          },
        },
      );
      expect(await running).toMatchObject({
        outcome: 'killed',
        message: expect.stringMatching(/^its interpreter ended without a word \(signal SIGKILL\)/) as string,
      });
      // Those that waited were killed too, and one may be taken before its end is known.
      await expect.poll(async () => (await run({ code: '1 + 1', lastValue: true })).value?.json, { timeout }).toBe('2');
    });

    it('leaves no process, descriptor or folder behind when it closes', { timeout }, async () => {
      const own = new Sandbox(await openTestBoundary(name), { concurrency: 2, warm: 1 });
      const [processes, descriptors] = [childrenOf(process.pid).length, descriptorCount()];
      const code =
        'import os, time\ntry:\n  for _ in range(3):\n    if os.fork() == 0: time.sleep(60)\nexcept OSError: pass';
      await Promise.all([1, 2, 3].map(() => own.run({ code, limits: { wallMs } })));
      const late = own.run({ code: 'while True: pass', limits: { wallMs: 60_000 } });
      await delay(20);
      await own.close();
      expect(await late).toMatchObject({ outcome: 'cancelled' });
      await expect(own.run({ code: '1' })).rejects.toMatchObject({ code: 'unavailable' });
      await expect.poll(() => childrenOf(process.pid).length, { timeout: 10_000 }).toBeLessThanOrEqual(processes);
      await expect.poll(descriptorCount, { timeout: 10_000 }).toBeLessThanOrEqual(descriptors);
    });
  });
}

function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
}

function isInterpreter(pid: number): boolean {
  return /bwrap|deno/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!);
}

function descriptorCount(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0;
}

describe('the strongest boundary', () => {
  it('is the one that is chosen, and says in what it is weaker than it can be', { timeout }, async () => {
    const boundary = await openTestBoundary();
    const isStrong = boundary.name === 'bubblewrap';
    expect(boundary.weaknesses.some((text) => text.startsWith('bubblewrap cannot be used: '))).toBe(!isStrong);
    await boundary.close();
  });
});

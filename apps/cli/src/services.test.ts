/** The life of what the command starts: up, stopped, started again, interrupted, out of disk. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { crucible, freePorts, startCrucible } from './testing/crucible.ts';

const timeout = 240_000;
const wait = { timeout: 60_000, interval: 100 };

async function get(url: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  return { status: response.status, body: await response.json() };
}

function startUp(home: string) {
  return startCrucible(['--home', home, 'up', '--preset', 'smoke'], { env: freePorts });
}

async function addressOf(up: ReturnType<typeof startUp>): Promise<string> {
  return (await up.says(/serves at (http:\/\/\S+)\/v1/, 120_000))[1]!;
}

function corpus(): string {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, Array.from({ length: 200 }, (_, i) => `Line ${i} says ${i * 7}.\n`).join(''));
  return path;
}

describe('crucible up', () => {
  it('answers while the first model is made, stops in order, and goes on when started again', { timeout }, async () => {
    const home = temporaryFolder();
    const first = startUp(home);
    const url = await addressOf(first);
    expect((await get(`${url}/healthz`)).body).toHaveProperty('status');
    await expect.poll(() => get(`${url}/healthz`), wait).toMatchObject({ status: 200, body: { status: 'ok' } });
    const { data } = (await get(`${url}/v1/models`)).body as { data: { id: string }[] };
    expect(data.slice(0, 2)).toMatchObject([{ id: 'crucible' }, { id: 'crucible-a' }]);
    expect(data.map(({ id }) => id)).toContain('crucible/react');
    // The forge's curves are there from the beginning.
    const jobs = (await get(`${url}/v1/jobs`)).body as { data: { id: string; kind: string }[] };
    expect(jobs.data).toMatchObject([{ kind: 'forge', state: expect.stringMatching(/running|succeeded/) as string }]);
    const curves = (await get(`${url}/v1/jobs/${jobs.data[0]!.id}/metrics`)).body as { data: unknown[] };
    expect(curves.data.length).toBeGreaterThan(0);

    // The other commands find it.
    const answer = await crucible(['--home', home, 'chat', 'Hello?', '--max-tokens', '4', '--json']);
    expect(JSON.parse(answer.stdout)).toEqual({ model: 'crucible', answer: expect.any(String) as string });
    const asked = await crucible(['--home', home, 'ask', 'Hello?', '--max-tokens', '4', '--json']);
    const steps = asked.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; reason?: string });
    expect(steps[0]).toMatchObject({ kind: 'prompt', messages: [{ role: 'user', content: 'Hello?' }], maxTokens: 4 });
    expect(steps.at(-1)).toMatchObject({ kind: 'end', reason: 'finished', usage: { estimated: false } });
    const long = await crucible(['--home', home, 'chat', 'word '.repeat(2000)]);
    expect(long).toMatchObject({ code: 2, stdout: '' });
    expect(long.stderr).toMatch(
      /^crucible: messages: they are \d+ tokens long; the context of crucible-\w is 384 tokens/,
    );
    expect(await crucible(['--home', home, 'up'], { env: freePorts })).toMatchObject({
      code: 1,
      stderr: `crucible: ${home} is served already, at ${url} (process ${first.pid})\n`,
    });

    expect(await first.end('SIGINT', 60_000)).toMatchObject({ code: 0, stdout: '' });
    expect(first.stderr()).toMatch(/Stopping\.\n$/);
    expect(existsSync(join(home, 'run.json'))).toBe(false);

    const second = startUp(home);
    const again = await addressOf(second);
    // What was made before is there from the first moment.
    expect(await get(`${again}/healthz`)).toMatchObject({ status: 200 });
    expect(await second.end('SIGTERM', 60_000)).toMatchObject({ code: 0 });
    expect(second.stderr()).not.toContain('"level":50');
  });
});

describe('crucible forge', () => {
  it('ends in order when it is interrupted, and goes on where it was', { timeout }, async () => {
    const home = temporaryFolder();
    const args = ['--home', home, 'forge', '--preset', 'smoke', '--corpus', corpus(), '--set', 'pretrain.steps=600'];
    const first = startCrucible(args);
    await first.says(/pre-training.* [1-9]\d*\/600/, 120_000);
    const { code, stdout, stderr } = await first.end('SIGINT', 60_000);
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toMatch(/\ncrucible: stopped; the same command goes on from the last checkpoint\n$/);

    const second = await crucible([...args, '--json']);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    const result = JSON.parse(second.stdout) as { job: string };
    expect(result).toEqual({
      job: expect.stringMatching(/^[0-9a-f]{12}-1$/) as string,
      models: [expect.stringMatching(/^crucible-a@\d+$/)],
      metrics: { val_bpb_a: expect.any(Number) as number },
    });
    const jobs = JSON.parse((await crucible(['--home', home, 'jobs', 'list', '--json'])).stdout) as { jobs: unknown[] };
    expect(jobs.jobs).toMatchObject([{ id: result.job, kind: 'forge', state: 'succeeded', error: '' }]);

    // A model that exists, but of a kind that the next stage cannot begin from.
    const preferences = join(temporaryFolder(), 'p.jsonl');
    writeFileSync(preferences, '{"prompt": "Hi", "chosen": "Hello", "rejected": "No"}\n'.repeat(3));
    const ppo = [
      'train',
      'ppo',
      '--name',
      'd',
      '--base',
      'crucible-a',
      '--reward-model',
      'crucible-a',
      '--prompts',
      preferences,
    ];
    const wrong = await crucible(['--home', home, ...ppo, '--json']);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: 'crucible: crucible-a is a language model; a reward model is needed\n',
    });
  });
});

describe('a full disk', () => {
  it.skipIf(!canMount())(
    'ends the forge with a clear error, nothing half-written, and the services stay up',
    { timeout },
    async () => {
      const home = temporaryFolder();
      mount(home, '450k');
      onTestFinished(() => void execFileSync('umount', ['-l', home]));
      const up = startUp(home);
      const url = await addressOf(up);
      await up.says(/The forge ended: /, 120_000);
      expect(up.stderr()).toMatch(/The forge ended: \/.*: the disk is full; nothing was written\n/);
      expect(up.stderr()).not.toMatch(/^\s+at /m);
      // The first snapshot had room.
      await expect
        .poll(() => get(`${url}/healthz`), wait)
        .toMatchObject({ status: 200, body: { model: 'crucible-a' } });
      expect((await crucible(['--home', home, 'chat', 'Hello?', '--max-tokens', '4', '--json'])).code).toBe(0);
      expect(execFileSync('find', [home, '-name', '.*tmp-*'], { encoding: 'utf8' })).toBe('');
      expect(await up.end('SIGTERM', 60_000)).toMatchObject({ code: 0 });
    },
  );
});

function mount(folder: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'ignore' });
}

/** Whether this user may make a small disk. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-disk-'));
  try {
    mount(folder, '64k');
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

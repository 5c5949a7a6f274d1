import { describe, expect, it } from 'vitest';
import type { Benchmark } from './benchmark.ts';
import { type ExitCode, runCommand } from './command.ts';

const jump: Benchmark<'height' | 'peer'> = {
  description: 'how high',
  metrics: { height: { meaning: 'best of three', unit: 'm' }, peer: { meaning: 'who else', unit: '' } },
  run: (report) => {
    report('jumping');
    return Promise.resolve({ height: 1.23456, peer: null, note: 'nobody came' });
  },
};

const fall: Benchmark<'depth'> = {
  description: 'how deep',
  metrics: { depth: { meaning: 'all of it', unit: 'm' } },
  run: () => Promise.reject(new Error('the ground is missing')),
};

interface Ran {
  readonly code: ExitCode;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

async function run(...commandLine: string[]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const print = (line: string): void => void out.push(line);
  const report = (line: string): void => void err.push(line);
  return { code: await runCommand(commandLine, { jump, fall }, { print, report }), out, err };
}

describe('the bench command', () => {
  it('prints exactly one JSON object with --json, and progress beside it', async () => {
    expect(await run('jump', '--json')).toEqual({
      code: 0,
      out: ['{"bench":"jump","metrics":{"height":1.23456,"peer":null,"note":"nobody came"}}'],
      err: ['jumping'],
    });
  });

  it('prints a table without --json', async () => {
    const { code, out } = await run('jump');
    expect(code).toBe(0);
    expect(out).toEqual([
      ['height  1.235  m  best of three', 'peer    -         who else', 'note: nobody came'].join('\n'),
    ]);
  });

  it('lists every benchmark and its figures without a name', async () => {
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toEqual([
      [
        'jump: how high',
        '  height  best of three, m',
        '  peer    who else',
        '',
        'fall: how deep',
        '  depth  all of it, m',
      ].join('\n'),
    ]);
  });

  it('refuses names and options that do not exist, with exit code 2', async () => {
    expect(await run('hop')).toEqual({ code: 2, out: [], err: ['bench: hop does not exist; there are jump, fall'] });
    expect(await run('jump', 'fall')).toEqual({
      code: 2,
      out: [],
      err: ['bench: one benchmark at a time; got jump, fall'],
    });
    const { code, err } = await run('jump', '--yaml');
    expect(code).toBe(2);
    expect(err[0]).toContain("bench: Unknown option '--yaml'");
  });

  it('says why a benchmark failed, with exit code 1 and nothing on standard output', async () => {
    expect(await run('fall', '--json')).toEqual({ code: 1, out: [], err: ['bench fall: the ground is missing'] });
  });
});

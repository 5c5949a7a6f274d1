/** Every strategy on every task of the built-in world, by the command that users have: `crucible eval --strategies`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { taskNames } from '@crucible/data';
import { strategyNames } from '@crucible/prompting';
import type { Benchmark } from './benchmark.ts';

const crucible = fileURLToPath(new URL('../../apps/cli/bin/crucible.mjs', import.meta.url));

/** Questions of every task. */
const limit = 100;

const keys = taskNames.flatMap((task) => strategyNames.map((strategy) => `${task}/${strategy}` as const));
type Key = (typeof keys)[number];

interface Cell {
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
  readonly tokens: number;
}

interface Evaluation {
  readonly model: string;
  readonly cells: readonly (Cell & { readonly task: string; readonly strategy: string })[];
}

/** What must be beyond chance: the intervals do not overlap. */
const wanted = [
  ['calculation', 'pal', 'direct'],
  ['lookup', 'rag', 'direct'],
  ['multihop', 'react', 'direct'],
] as const;

export const strategies: Benchmark<Key> = {
  description: `${limit} held-out questions of every task asked by every strategy, of a model that is forged for it (CRUCIBLE_SEED is the seed), or of the newest in the home that CRUCIBLE_STRATEGIES_HOME names`,
  metrics: Object.fromEntries(
    keys.map((key) => [
      key,
      { meaning: 'share of right answers with its 95 % interval, and tokens of a question', unit: '' },
    ]),
  ) as Record<Key, { readonly meaning: string; readonly unit: string }>,
  run: async (report) => {
    const given = process.env['CRUCIBLE_STRATEGIES_HOME'];
    const seed = process.env['CRUCIBLE_SEED'] ?? '1';
    const home = given ?? mkdtempSync(join(tmpdir(), 'crucible-bench-strategies-'));
    try {
      if (given === undefined) await run(['forge', '--home', home, '--seed', seed], report);
      const json = await run(['eval', '--home', home, '--strategies', '--limit', String(limit), '--json'], report);
      const { model, cells } = JSON.parse(json) as Evaluation;
      const found = new Map(cells.map(({ task, strategy, ...cell }) => [`${task}/${strategy}`, cell]));
      const figures = Object.fromEntries(
        keys.map((key) => {
          const cell = found.get(key);
          return [key, cell ? { accuracy: cell.accuracy, low: cell.low, high: cell.high, tokens: cell.tokens } : null];
        }),
      ) as Record<Key, Record<string, number> | null>;
      const said = wanted.map(([task, better, worse]) => {
        const isBetter = found.get(`${task}/${better}`)!.low > found.get(`${task}/${worse}`)!.high;
        return `${better} ${isBetter ? 'is' : 'is NOT'} above ${worse} on ${task}`;
      });
      const source = given === undefined ? `forged with seed ${seed}` : `of ${given}`;
      return {
        ...figures,
        note: `${model}, ${source}; ${said.join(', ')}; null: the task has no worked answers to show`,
      };
    } finally {
      if (given === undefined) rmSync(home, { recursive: true, force: true });
    }
  },
};

/** What the command prints; its progress is reported. */
async function run(args: readonly string[], report: (line: string) => void): Promise<string> {
  const child = spawn(process.execPath, [crucible, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => void child.kill('SIGINT');
  process.once('SIGINT', stop);
  try {
    let output = '';
    let last = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    createInterface(child.stderr).on('line', (line) => report((last = line)));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`crucible ${args.join(' ')} ended with ${code}: ${last}`);
    return output;
  } finally {
    process.off('SIGINT', stop);
  }
}

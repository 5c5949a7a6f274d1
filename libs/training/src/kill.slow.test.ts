import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Random } from '@crucible/foundation';
import { temporaryFolder } from '@crucible/testing';
import { expect, it } from 'vitest';
import type { StageName } from './stage.ts';

const script = fileURLToPath(new URL('testing/stage-process.ts', import.meta.url));

interface Attempt {
  /** First step that this process made; undefined when it made none. */
  readonly from: number | undefined;
  /** Hash of the finished weights; undefined when it was killed before. */
  readonly hash: string | undefined;
}

/** Runs a stage in a process; `killAfter` milliseconds after its first step is done it is killed. */
async function attempt(stage: StageName, folder: string, steps: number, killAfter?: number): Promise<Attempt> {
  const child: ChildProcess = spawn(process.execPath, [script, stage, folder, String(steps)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  const begun: number[] = [];
  let hash: string | undefined;
  for await (const line of createInterface({ input: child.stdout! })) {
    const [kind, value] = line.split(' ');
    if (kind === 'done') hash = value;
    // The first step takes long, since its program is compiled.
    else if (begun.push(Number(value)) === 2 && killAfter !== undefined)
      void sleep(killAfter).then(() => child.kill('SIGKILL'));
  }
  const [code, signal] = await exit;
  if (hash === undefined) expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  return { from: begun[0], hash };
}

it.each<{ stage: StageName; steps: number; longest: number }>([
  { stage: 'pretrain', steps: 60, longest: 300 },
  { stage: 'mlm', steps: 60, longest: 300 },
  { stage: 'sft', steps: 60, longest: 300 },
  { stage: 'reward', steps: 60, longest: 300 },
  { stage: 'ppo', steps: 40, longest: 200 },
])(
  'a $stage run that is killed again and again ends with the same weights',
  { timeout: 300_000 },
  async ({ stage, steps, longest }) => {
    const { hash: expected } = await attempt(stage, temporaryFolder(), steps);
    const folder = temporaryFolder();
    const random = Random.seeded(9).fork(stage);
    const attempts: Attempt[] = [];
    while (attempts.at(-1)?.hash === undefined) {
      const killAfter = attempts.length < 20 ? random.integer(0, longest) : undefined;
      attempts.push(await attempt(stage, folder, steps, killAfter));
    }
    expect(attempts.at(-1)!.hash).toBe(expected);
    expect(attempts.length).toBeGreaterThan(2);
    // Each goes on where the checkpoint was, and none begins anew after one.
    const begun = attempts.map(({ from }) => from ?? steps);
    expect(begun).toEqual([...begun].sort((a, b) => a - b));
    expect(begun.at(-1)).toBeGreaterThan(0);
  },
);

/** Long runs must not gather memory: a process trains or compiles, and says how much it held on the way. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

async function residentMiB(what: 'steps' | 'programs'): Promise<number[]> {
  const script = join(import.meta.dirname, 'testing/long-run.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, what]);
  return JSON.parse(stdout) as number[];
}

describe('memory', () => {
  it('after 10,000 steps is what it was after 1,000', async () => {
    const held = await residentMiB('steps');
    expect(held).toHaveLength(10);
    // The state of 40,000 numbers, kept at every step, would be 4 GB.
    expect(Math.max(...held.slice(5)), held.join(', ')).toBeLessThan(Math.max(...held.slice(0, 2)) + 40);
  }, 1_200_000);

  it('after 100 programs that were created and released is what it was after 10', async () => {
    const held = await residentMiB('programs');
    expect(held).toHaveLength(10);
    expect(Math.max(...held.slice(5)), held.join(', ')).toBeLessThan(Math.max(...held.slice(0, 2)) + 40);
  }, 1_200_000);
});

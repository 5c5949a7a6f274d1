import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findProgram, isExecutable } from './find-program.ts';

const root = mkdtempSync(join(tmpdir(), 'crucible-programs-'));
const [one, two] = [join(root, 'one'), join(root, 'two')];

beforeAll(() => {
  for (const folder of [one, two]) mkdirSync(folder);
  for (const [path, mode] of [
    [join(one, 'second'), 0o755],
    [join(two, 'first'), 0o755],
    [join(two, 'second'), 0o755],
    [join(one, 'data'), 0o644],
  ] as const) {
    writeFileSync(path, '');
    chmodSync(path, mode);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

it('takes the first name that is anywhere, from the first folder that has it', () => {
  const path = ['', one, two].join(delimiter);
  expect(findProgram(['first', 'second'], path)).toBe(join(two, 'first'));
  expect(findProgram(['second', 'first'], path)).toBe(join(one, 'second'));
});

it('looks into the other folders after the path, and finds nothing where there is nothing to execute', () => {
  expect(findProgram(['second'], two, [one])).toBe(join(two, 'second'));
  expect(findProgram(['second'], undefined, [one])).toBe(join(one, 'second'));
  expect(findProgram(['data', 'absent'], one)).toBeUndefined();
  expect(isExecutable(join(one, 'data'))).toBe(false);
});

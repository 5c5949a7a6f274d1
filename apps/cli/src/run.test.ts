/** `crucible run`: programs in the sandbox of the command's own process. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { crucible } from './testing/crucible.ts';

const timeout = 120_000;
const home = mkdtempSync(join(tmpdir(), 'crucible-home-'));
// What is slow to make is kept from test to test, as a home keeps it.
const cache = resolve(import.meta.dirname, '../../../node_modules/.cache/crucible-sandbox');
mkdirSync(cache, { recursive: true, mode: 0o700 });
symlinkSync(cache, join(home, 'sandbox'));
afterAll(() => rmSync(home, { recursive: true }));

function fileOf(code: string, name = 'program.py'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, code);
  return path;
}

function run(args: readonly string[], input = '') {
  return crucible(['--home', home, 'run', ...args], { input });
}

describe('crucible run', () => {
  it('gives a program arguments, input and files, and shows what it says as it is', { timeout }, async () => {
    const program = fileOf(
      'import sys, numbers_of\nprint(sys.argv[1:], sys.stdin.read())\nprint("beside", file=sys.stderr)\nimport os\nos.makedirs("a/b")\nopen("a/b/made.txt", "w").write("yes")\ndef solution(): return numbers_of.x * 2',
    );
    const out = temporaryFolder();
    const args = ['--file', fileOf('x = 21', 'numbers_of.py'), '--out', out, '--value', 'solution()', program];
    expect(await run([...args, '--', '-v', 'two'], 'typed')).toMatchObject({
      code: 0,
      stdout: "['-v', 'two'] typed\n42\n",
      stderr: 'beside\n',
    });
    expect(readFileSync(join(out, 'a/b/made.txt'), 'utf8')).toBe('yes');
    expect(existsSync(join(out, 'numbers_of.py'))).toBe(false);
  });

  it("ends with the program's exit code, or with that of the limit it met", { timeout }, async () => {
    expect(await run(['-'], 'import sys\nprint("on")\nsys.exit(5)')).toMatchObject({
      code: 5,
      stdout: 'on\n',
      stderr: 'crucible: the program: it ended with exit code 5\n',
    });
    const failed = await run(['-'], '1 / 0');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(/^Traceback .*\n[^]*ZeroDivisionError: division by zero\n$/);
    expect(await run(['--timeout', '0.4', '-'], 'while True: pass')).toMatchObject({
      code: 124,
      stderr: 'crucible: the program: it did not end within 400 ms\n',
    });
  });

  it('prints JSON', { timeout }, async () => {
    const { code, stdout, stderr } = await run(['--json', '--value', '2**70', '-'], 'print("x")');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      outcome: 'ok',
      message: '',
      boundary: expect.stringMatching(/^(bubblewrap|pyodide)$/) as string,
      exit_code: 0,
      value: { repr: '1180591620717411303424', json: '1180591620717411303424' },
      stdout: 'x\n',
      stderr: '',
      files: [],
      wall_ms: expect.any(Number) as number,
      cpu_ms: expect.any(Number) as number,
      peak_memory_bytes: expect.any(Number) as number,
    });
  });
});

import { describe, expect, it } from 'vitest';
import { type Program, resolveProgram } from './program.ts';

function refusal(program: Program): string {
  try {
    resolveProgram(program);
  } catch (reason) {
    return (reason as Error).message;
  }
  return 'taken';
}

const file = (path: string, bytes = 0) => ({ path, content: new Uint8Array(bytes) });

describe('a program', () => {
  it('has defaults for everything but its code', () => {
    expect(resolveProgram({ code: 'x = 1', limits: { wallMs: 500 } })).toEqual({
      code: 'x = 1',
      args: [],
      stdin: new Uint8Array(),
      files: [],
      expression: undefined,
      lastValue: false,
      collectFiles: false,
      limits: {
        wallMs: 500,
        cpuMs: 500,
        memoryBytes: 268_435_456,
        processes: 32,
        outputBytes: 1_048_576,
        diskBytes: 67_108_864,
        files: 256,
      },
    });
  });

  it.each<[Program, string]>([
    [{ code: '\n ' }, 'code: it is empty; a Python program is needed'],
    [{ code: 'x\0' }, 'code: it has a NUL character; text without is allowed'],
    [{ code: '"\ud800"' }, 'code: it has half of a surrogate pair; text is allowed'],
    [{ code: '#'.repeat(1_048_577) }, 'code: it is 1048577 bytes long; at most 1048576 are allowed'],
    [{ code: '1', args: ['a', 'b\0'] }, 'args[1]: it has a NUL character; text without is allowed'],
    [{ code: '1', args: Array<string>(257).fill('') }, 'args: 257 are given; at most 256 are allowed'],
    [{ code: '1', expression: ' ' }, 'expression: it is empty; a Python expression is needed'],
    [
      { code: '1', expression: 'x', lastValue: true },
      'expression: it is given together with last_value; one value is returned',
    ],
    [{ code: '1', limits: { wallMs: 0 } }, 'limits.wall_ms: 0 is given; 1 to 300000 are allowed'],
    [{ code: '1', limits: { processes: NaN } }, 'limits.processes: NaN is given; 1 to 256 are allowed'],
    [{ code: '1', limits: { files: 1.5 } }, 'limits.files: 1.5 is given; 0 to 4096 are allowed'],
    [{ code: '1', files: [file('a'), file('a')] }, 'files[1].path: a is given twice'],
    [{ code: '1', files: [file('a/b'), file('a')] }, 'files[0].path: a is a file, and cannot be a folder too'],
    [
      { code: '1', files: [file('a', 1_048_577)], limits: { diskBytes: 1_048_576 } },
      'files: they are 1048577 bytes; limits.disk_bytes allows 1048576',
    ],
  ])('%# is refused with the field', (program, message) => {
    expect(refusal(program)).toBe(message);
  });

  it.each([
    ['', 'is empty'],
    ['/etc/passwd', 'has an empty name'],
    ['a//b', 'has an empty name'],
    ['a/', 'has an empty name'],
    ['..', 'has the name ..'],
    ['a/../../b', 'has the name ..'],
    ['./a', 'has the name .'],
    ['a\\b', 'has control characters or backslashes'],
    ['a\nb', 'has control characters or backslashes'],
    ['a\0', 'has control characters or backslashes'],
    ['x'.repeat(256), 'has a name of more than 255 bytes'],
    ['x/'.repeat(600), 'is longer than 1024 bytes'],
    ['\udc80', 'is no well-formed text'],
  ])('may not put a file at %j', (path, why) => {
    expect(refusal({ code: '1', files: [file(path)] })).toBe(
      `files[0].path: ${JSON.stringify(path.slice(0, 100))} ${why}; a relative path of plain names is allowed`,
    );
  });

  it('may put files at odd but plain names', () => {
    const files = ['.hidden', 'a b/ü.txt', '-rf', '...', 'x'.repeat(255)].map((path) => file(path));
    expect(resolveProgram({ code: '1', files }).files).toEqual(files);
  });
});

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CrucibleError, invalidInput } from './error.ts';

describe('CrucibleError.from', () => {
  it('passes a CrucibleError through unchanged', () => {
    const error = invalidInput('--port: 70000 is above 65535', { at: '--port' });
    expect(CrucibleError.from(error)).toBe(error);
    expect(error).toMatchObject({ code: 'invalid-input', at: '--port', message: '--port: 70000 is above 65535' });
  });

  it('keeps the message and the cause of a system error, and gives it a code', () => {
    let caught: unknown;
    try {
      readFileSync('/does/not/exist');
    } catch (reason) {
      caught = reason;
    }
    const error = CrucibleError.from(caught);
    expect(error.code).toBe('not-found');
    expect(error.message).toContain('/does/not/exist');
    expect(error.cause).toBe(caught);
  });

  it('takes a folder in the place of a new one for a conflict', () => {
    const folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    mkdirSync(from);
    mkdirSync(join(to, 'content'), { recursive: true });
    let caught: unknown;
    try {
      renameSync(from, to);
    } catch (reason) {
      caught = reason;
    }
    rmSync(folder, { recursive: true });
    expect(CrucibleError.from(caught).code).toBe('conflict');
  });

  it('knows aborted and timed-out signals', () => {
    expect(CrucibleError.from(AbortSignal.abort().reason).code).toBe('cancelled');
    expect(CrucibleError.from(new DOMException('late', 'TimeoutError')).code).toBe('deadline-exceeded');
  });

  it('takes what is no error at all for a bug', () => {
    expect(CrucibleError.from('oops')).toMatchObject({ code: 'internal', message: 'oops' });
  });
});

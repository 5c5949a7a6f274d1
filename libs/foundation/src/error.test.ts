import { readFileSync } from 'node:fs';
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

  it('knows aborted and timed-out signals', () => {
    expect(CrucibleError.from(AbortSignal.abort().reason).code).toBe('cancelled');
    expect(CrucibleError.from(new DOMException('late', 'TimeoutError')).code).toBe('deadline-exceeded');
  });

  it('takes what is no error at all for a bug', () => {
    expect(CrucibleError.from('oops')).toMatchObject({ code: 'internal', message: 'oops' });
  });
});

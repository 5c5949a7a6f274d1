import { expect, test } from 'vitest';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { logCalls } from './log-calls.ts';
import { recordingLogger } from './testing/recording-logger.ts';

const call = { method: 'crucible.example.v1.Example/Call', requestId: 'r-1', peer: '127.0.0.1:9', durationMs: 12.6 };

function logged(end: { code: 'ok' | CrucibleError['code']; error?: CrucibleError }): Record<string, unknown> {
  const { log, lines } = recordingLogger();
  logCalls(log)({ ...call, ...end });
  return lines[0]!;
}

const fields = {
  method: call.method,
  requestId: 'r-1',
  peer: '127.0.0.1:9',
  ms: 13,
  time: expect.any(Number) as number,
};

test('a call that was answered is logged for debugging', () => {
  expect(logged({ code: 'ok' })).toEqual({ level: 20, ...fields, code: 'ok', msg: 'a call was answered' });
});

test('a call that the caller got wrong is worth a note, and no stack', () => {
  const error = invalidInput('max_tokens: 9 is too many', { at: 'max_tokens' });
  expect(logged({ code: 'invalid-input', error })).toEqual({
    level: 30,
    ...fields,
    code: 'invalid-input',
    error: 'max_tokens: 9 is too many',
    msg: 'a call failed',
  });
});

test('a call that failed by a fault of ours is an error, with the stack of where it began', () => {
  const bug = new TypeError('undefined is not a token');
  const error = new CrucibleError('internal', bug.message, { cause: bug });
  expect(logged({ code: 'internal', error })).toEqual({
    level: 50,
    ...fields,
    code: 'internal',
    error: 'undefined is not a token',
    stack: bug.stack,
    msg: 'a call failed',
  });
});

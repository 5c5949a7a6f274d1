import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { CrucibleError, errorCodes, invalidInput } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { errorFromServiceError, wireErrorFrom } from './wire-error.ts';
import type { WireError } from './wire-error.ts';

function received(error: WireError): ServiceError {
  return Object.assign(new Error(error.details), error);
}

function roundTrip(error: CrucibleError): CrucibleError {
  return errorFromServiceError(received(wireErrorFrom(error, 'r1')), 'a.B/C at host:1');
}

describe('an error that a server sends', () => {
  it.each(errorCodes.filter((code) => code !== 'internal'))('arrives as it was: %s', (code) => {
    const error = roundTrip(new CrucibleError(code, 'steps: 0 is below 1', { at: 'spec.steps' }));
    expect(error).toMatchObject({ code, message: 'steps: 0 is below 1', at: 'spec.steps' });
  });

  it('arrives without `at` when it has none', () => {
    expect(roundTrip(invalidInput('no')).at).toBeUndefined();
  });

  it('is in the details for clients of other languages', () => {
    const { code, details, metadata } = wireErrorFrom(invalidInput('no', { at: 'x' }), 'r1');
    expect({ code, details }).toEqual({ code: 3, details: 'no' });
    // google.rpc.Status{code: 3, message: "no", details: [Any{type_url, ErrorInfo{reason, domain, metadata}}]}
    expect(metadata.get('grpc-status-details-bin')[0]?.toString('latin1')).toBe(
      '\x08\x03\x12\x02no\x1a\x65\n\x28type.googleapis.com/google.rpc.ErrorInfo\x12\x39' +
        '\n\x0dINVALID_INPUT\x12\x08crucible\x1a\x15\n\x04code\x12\x0dinvalid-input\x1a\x07\n\x02at\x12\x01x',
    );
  });

  it('says nothing of what is inside when it is internal', () => {
    const secret = new CrucibleError('internal', '/srv/secret.key: boom', { at: '/srv/secret.key' });
    expect(roundTrip(secret)).toMatchObject({
      code: 'internal',
      message: "internal error; the server's log has it under request r1",
      at: undefined,
    });
    expect(wireErrorFrom(secret, 'r1').metadata.get('grpc-status-details-bin').toString()).not.toContain('secret');
  });

  it('is cut so that it fits into the headers of any client, between two characters', () => {
    const { details, metadata } = wireErrorFrom(invalidInput('😀'.repeat(10_000), { at: 'é'.repeat(10_000) }), 'r1');
    expect(details).toBe(`${'😀'.repeat(375)}…`);
    const trailers =
      encodeURI(details).length + (metadata.get('grpc-status-details-bin')[0] as Buffer).length * (4 / 3);
    expect(trailers).toBeLessThan(8192);
  });

  it('may hold half a surrogate pair, which no header can', () => {
    expect(roundTrip(invalidInput('a\ud800b')).message).toBe('a\ufffdb');
  });
});

describe('an error without our details', () => {
  it('gets its code from the status and says whom was called', () => {
    const error = errorFromServiceError(
      received({ code: status.ABORTED, details: 'try again', metadata: new Metadata() }),
      'a.B/C at host:1',
    );
    expect(error).toMatchObject({ code: 'conflict', message: 'a.B/C at host:1: try again' });
  });

  it('means that the call was cut off when it was cancelled by nobody here', () => {
    const error = errorFromServiceError(
      received({ code: status.CANCELLED, details: 'Call cancelled', metadata: new Metadata() }),
      'a.B/C at host:1',
    );
    expect(error).toMatchObject({ code: 'unavailable', message: 'a.B/C at host:1: Call cancelled' });
  });

  it('does not trip over details that are none', () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
    const error = errorFromServiceError(
      received({ code: status.UNAVAILABLE, details: 'gone', metadata }),
      'a.B/C at host:1',
    );
    expect(error).toMatchObject({ code: 'unavailable', message: 'a.B/C at host:1: gone' });
  });
});

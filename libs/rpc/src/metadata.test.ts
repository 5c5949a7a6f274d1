import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { headersFromMetadata, metadataFromHeaders, propagatedHeaders } from './metadata.ts';

describe('metadata', () => {
  it('comes back as it was given, with binary values in base64', () => {
    const metadata = metadataFromHeaders({ 'X-Trace': 'a', 'key-bin': 'AAEC' });
    expect(metadata.get('key-bin')).toEqual([Buffer.from([0, 1, 2])]);
    expect([...headersFromMetadata(metadata)]).toEqual([
      ['key-bin', 'AAEC'],
      ['x-trace', 'a'],
    ]);
  });

  it('leaves out names that headers cannot have', () => {
    const metadata = new Metadata();
    metadata.set('a:b', 'x');
    expect([...headersFromMetadata(metadata)]).toEqual([]);
  });

  it('takes the later of two values', () => {
    expect(metadataFromHeaders({ a: '1', b: '1' }, undefined, { a: '2' }).getMap()).toEqual({ a: '2', b: '1' });
  });

  it.each([{ 'a b': 'x' }, { authorization: 'Bearer pass\u0100word' }, { authorization: 'Bearer pass\nword' }])(
    'refuses what HTTP/2 cannot carry, without quoting it: %j',
    (given) => {
      expect(() => metadataFromHeaders(given as Record<string, string>)).toThrow(
        expect.objectContaining({
          code: 'invalid-input',
          at: 'metadata',
          message: 'metadata: names are made of a-z, 0-9, "-", "_" and ".", values of printable ASCII characters',
        }),
      );
    },
  );
});

describe('propagatedHeaders()', () => {
  it('hands on the request id and the trace, and no credentials', () => {
    const incoming = new Headers({ traceparent: '00-1', tracestate: 'a=b', authorization: 'Bearer x', 'x-other': 'y' });
    expect([...propagatedHeaders(incoming, 'r7')]).toEqual([
      ['traceparent', '00-1'],
      ['tracestate', 'a=b'],
      ['x-request-id', 'r7'],
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { resolveNatsBusOptions } from './options.ts';

describe('resolveNatsBusOptions', () => {
  it('takes one server or several, with the default port', () => {
    expect(resolveNatsBusOptions({ servers: 'nats://localhost' })).toEqual({
      where: 'nats://localhost:4222',
      servers: ['localhost:4222'],
      connection: { name: 'crucible' },
      connectDeadline: 10_000,
      drainDeadline: 10_000,
      streams: { replicas: undefined, maxAge: undefined, maxBytes: undefined, maxWorkBytes: undefined },
    });
    expect(resolveNatsBusOptions({ servers: ['nats://a:1', 'nats://[::1]:2/'] })).toMatchObject({
      where: 'nats://a:1,nats://[::1]:2',
      servers: ['a:1', '[::1]:2'],
    });
  });

  it('insists on TLS when a URL or an option says so', () => {
    expect(resolveNatsBusOptions({ servers: 'tls://a' }).connection).toEqual({ name: 'crucible', tls: {} });
    expect(resolveNatsBusOptions({ servers: 'nats://a', tls: { caFile: 'ca.pem' } }).connection).toEqual({
      name: 'crucible',
      tls: { caFile: 'ca.pem' },
    });
  });

  it('takes credentials from the URL and keeps them out of messages', () => {
    const resolved = resolveNatsBusOptions({ servers: 'nats://ada:p%40ss@a' });
    expect(resolved.connection).toMatchObject({ user: 'ada', pass: 'p@ss' });
    expect(resolved.where).toBe('nats://a:4222');
    expect(resolveNatsBusOptions({ servers: 'nats://sesame@a' }).connection).toMatchObject({ token: 'sesame' });
  });

  it('says what is wrong', () => {
    const messages = [
      [{ servers: [] }, 'servers is empty; it must name at least one'],
      [{ servers: 'localhost:4222' }, 'server "localhost:4222": must be nats://HOST[:PORT] or tls://HOST[:PORT]'],
      [{ servers: 'http://u:secret@a/b' }, 'server "http://…@a/b": must be nats://HOST[:PORT] or tls://HOST[:PORT]'],
      [{ servers: 'nats://a/path' }, 'server "nats://a/path": must be nats://HOST[:PORT] or tls://HOST[:PORT]'],
      [{ servers: 'nats://a', replicas: 2 }, 'replicas is 2; it must be 1, 3 or 5'],
      [{ servers: 'nats://a', maxAge: 1000 }, 'maxAge is 1000; it must be between 120000 and 9007199254740991'],
      [
        { servers: 'nats://a', credsFile: '/does/not/exist' },
        "credsFile: ENOENT: no such file or directory, open '/does/not/exist'",
      ],
      [
        { servers: 'nats://u:p@a', token: 't' },
        'credentials are given more than once; use one of the URL, user, token and credsFile',
      ],
    ] as const;
    for (const [options, message] of messages) expect(() => resolveNatsBusOptions(options)).toThrow(message);
  });
});

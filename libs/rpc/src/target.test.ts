import { describe, expect, it } from 'vitest';
import { assertTarget, isAddress, targetFrom } from './target.ts';

describe('assertTarget()', () => {
  it.each([
    'localhost:7001',
    '127.0.0.1:1',
    '[::1]:65535',
    'dns:///policy.crucible.svc:7001',
    'ipv4:127.0.0.1:7001,127.0.0.2:7001',
    'unix:/run/policy.sock',
  ])('takes %s', (target) => {
    assertTarget(target);
  });

  it.each([
    '',
    ':',
    'policy',
    'policy:',
    'policy:0',
    'policy:65536',
    'http://policy:7001',
    'a b:1',
    '::1:7001',
    'unix:',
  ])('refuses "%s"', (target) => {
    expect(() => assertTarget(target)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        at: 'target',
        message: `target: "${target}" is none of host:port, dns:///host:port, ipv4:address:port,…, unix:/path`,
      }),
    );
  });
});

describe('isAddress()', () => {
  it.each(['127.0.0.1:7001', '[::1]:7001', 'dns:///10.0.0.1:7001', 'ipv4:10.0.0.1:7001', 'ipv6:[::1]:7001'])(
    'is true of %s',
    (target) => expect(isAddress(target)).toBe(true),
  );

  it.each(['localhost:7001', 'dns:///policy:7001', 'unix:/run/policy.sock'])('is false of %s', (target) =>
    expect(isAddress(target)).toBe(false),
  );
});

describe('targetFrom()', () => {
  it('puts IPv6 addresses into brackets', () => {
    expect(targetFrom('::1', 7001)).toBe('[::1]:7001');
    expect(targetFrom('localhost', 7001)).toBe('localhost:7001');
  });
});

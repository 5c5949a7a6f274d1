import { describe, expect, it } from 'vitest';
import { createClient } from './client.ts';
import { RpcTestService } from './generated/crucible/rpctest/v1/rpctest_pb.ts';
import { createServer } from './server.ts';
import { createAuthority, createCertificate } from './test-certificates.ts';
import { testService } from './test-server.ts';
import type { ClientTls, ServerTls } from './tls.ts';

const authority = createAuthority('Test authority');
const otherAuthority = createAuthority('Other authority');
const server = createCertificate('localhost', authority);
const client = createCertificate('a client', authority);
const stranger = createCertificate('a stranger', otherAuthority);
const ca = authority.cert;

async function answer(serverTls: ServerTls | undefined, clientTls: ClientTls | undefined, host = 'localhost') {
  await using listening = await createServer({
    port: 0,
    services: [testService({ unary: () => ({ text: 'secret' }) })],
    ...(serverTls === undefined ? {} : { tls: serverTls }),
  });
  using calling = createClient(
    RpcTestService,
    `${host}:${listening.port}`,
    clientTls === undefined ? {} : { tls: clientTls },
  );
  return (await calling.unary({})).text;
}

describe('TLS', () => {
  it('serves clients that trust the authority of the server', async () => {
    expect(await answer(server, { ca })).toBe('secret');
  });

  it.each([
    ['trusts another authority', { ca: otherAuthority.cert }],
    ['trusts the authorities of Node alone', {}],
    ['wants another name', { ca, serverName: 'policy.example' }],
    ['speaks plain text', undefined],
  ] as const)('fails when the client %s', async (_name, tls) => {
    await expect(answer(server, tls)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('fails when the server speaks plain text', async () => {
    await expect(answer(undefined, { ca })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('looks for the name that it is told to', async () => {
    const named = createCertificate('policy.example', authority);
    expect(await answer(named, { ca, serverName: 'policy.example' })).toBe('secret');
    expect(await answer(named, { ca, serverName: 'policy.example' }, '127.0.0.1')).toBe('secret');
  });

  it('must be told a name when it is given an address', () => {
    expect(() => createClient(RpcTestService, '127.0.0.1:7001', { tls: { ca } })).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        at: 'tls.serverName',
        message: 'tls: 127.0.0.1:7001 is an address; serverName must say for which name its certificate is',
      }),
    );
  });
});

describe('mTLS', () => {
  const tls = { ...server, ca };

  it('serves clients with a certificate of the authority', async () => {
    expect(await answer(tls, { ca, ...client })).toBe('secret');
  });

  it.each([
    ['without a certificate', { ca }],
    ['with a certificate of another authority', { ca, ...stranger }],
  ])('turns away clients %s', async (_name, given) => {
    await expect(answer(tls, given)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('certificates', () => {
  it.each([
    ['are no PEM', { cert: 'x', key: 'y' }],
    ['do not belong together', { cert: server.cert, key: client.key }],
  ])('are refused at once when they %s', async (_name, tls) => {
    const refused = {
      code: 'invalid-input',
      at: 'tls',
      message: expect.stringMatching(/^tls: no usable certificate and key: /) as string,
    };
    await expect(createServer({ port: 0, services: [], tls })).rejects.toMatchObject(refused);
    expect(() => createClient(RpcTestService, 'localhost:1', { tls })).toThrow(expect.objectContaining(refused));
  });

  it('come with their key', () => {
    expect(() => createClient(RpcTestService, 'localhost:1', { tls: { cert: client.cert } })).toThrow(
      'tls: cert and key are given together or not at all',
    );
  });
});

/** Callers that mean harm, or do not know better: the server answers them with a status and serves the next one. */
import { deflateSync, gzipSync } from 'node:zlib';
import { connect } from 'node:net';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { framed, rawCall } from './test-http2.ts';
import { collected, startPair, streamOf } from './test-server.ts';
import type { TestPair } from './test-server.ts';

let pair: TestPair;

beforeAll(async () => {
  pair = await startPair(
    {
      unary: ({ text, numbers, struct }) => ({
        text: `${text} ${JSON.stringify({ ...numbers })} ${JSON.stringify(struct)}`,
      }),
      serverStream: () => streamOf({ number: 1, padding: new Uint8Array(2000) }),
      clientStream: async (requests) => ({ sum: (await collected(requests)).length }),
    },
    { limits: { maxReceiveBytes: 1000, maxSendBytes: 1000 } },
  );
});

afterAll(() => pair[Symbol.asyncDispose]());

async function statusOf(
  method: string,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<string | undefined> {
  using call = rawCall(pair.server.port, method, body, headers);
  call.stream.end();
  return (await call.answer)?.['grpc-status'] as string | undefined;
}

async function expectAlive(): Promise<void> {
  expect((await pair.client.unary({ text: 'alive' })).text).toMatch(/^alive/);
}

const invalidArgument = '3';
const resourceExhausted = '8';
const unimplemented = '12';
const internal = '13';

describe('a server answers', () => {
  const nothing = Buffer.alloc(0);

  it.each([
    ['a message that is not one', 'Unary', framed(Buffer.from([0xff, 0xff, 0xff, 0xff])), invalidArgument],
    ['a field that is cut short', 'Unary', framed(Buffer.from([0x0a, 0x7f, 0x41])), invalidArgument],
    ['text that is not UTF-8', 'Unary', framed(Buffer.from([0x0a, 0x02, 0xff, 0xfe])), invalidArgument],
    ['no message', 'Unary', nothing, unimplemented],
    ['two messages where there is one', 'Unary', Buffer.concat([framed(nothing), framed(nothing)]), unimplemented],
    ['a method that does not exist', 'NoSuchMethod', framed(nothing), unimplemented],
    ['a message above the limit', 'Unary', framed(Buffer.alloc(1001)), resourceExhausted],
    ['a length above the limit', 'Unary', framed(nothing, { length: 0xffffffff }), resourceExhausted],
    ['a broken message in a stream', 'ClientStream', framed(Buffer.from([0xff])), invalidArgument],
  ])('%s', async (_name, method, body, status) => {
    expect(await statusOf(method, body)).toBe(status);
    await expectAlive();
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(100_000)), resourceExhausted],
    ['deflate', deflateSync(Buffer.alloc(100_000)), resourceExhausted],
    ['gzip', Buffer.from('not gzip'), internal],
    ['br', Buffer.from('x'), unimplemented],
  ])('a compressed message that is a bomb, broken or of another method: %s', async (encoding, body, status) => {
    expect(await statusOf('Unary', framed(body, { compressed: true }), { 'grpc-encoding': encoding })).toBe(status);
    await expectAlive();
  });

  it.each(['', 'soon', '-1S', '1', '1x', '999999999999S'])('a deadline of "%s"', async (timeout) => {
    expect(await statusOf('Unary', framed(nothing), { 'grpc-timeout': timeout })).toMatch(/^(0|4|13)$/);
    await expectAlive();
  });

  it('a message nested deeper than any reader follows', async () => {
    await using deep = await startPair({ unary: () => ({}) });
    const field = (number: number, value: Uint8Array): Uint8Array =>
      new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(value).finish();
    // A ListValue whose one Value is a ListValue, and so on.
    let list: Uint8Array = nothing;
    for (let depth = 0; depth < 500; depth++) list = field(1, field(6, list));
    const struct = field(1, Buffer.concat([field(1, Buffer.from('key')), field(2, field(6, list))]));
    using call = rawCall(deep.server.port, 'Unary', framed(Buffer.from(field(3, struct))));
    call.stream.end();
    expect((await call.answer)?.['grpc-status']).toBe(invalidArgument);
    expect((await deep.client.unary({})).text).toBe('');
  });

  it('names that are properties of every object, and changes none of them', async () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const entry = (key: string): Uint8Array =>
      new BinaryWriter().tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.Bit64).double(7).finish();
    const body = new BinaryWriter();
    for (const key of ['__proto__', 'constructor', 'toString']) body.tag(2, WireType.LengthDelimited).bytes(entry(key));
    const headers = { ['__proto__']: 'polluted', constructor: 'polluted' };
    expect(await statusOf('Unary', framed(Buffer.from(body.finish())), headers)).toBe('0');
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    await expectAlive();
  });

  it('a caller that is no gRPC client', async () => {
    using call = rawCall(pair.server.port, 'Unary', nothing, { 'content-type': 'text/html' });
    call.stream.end();
    expect((await call.answer)?.[':status']).toBe(415);
    for (const text of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\0'.repeat(1000),
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\0\0\0\0\0\0',
    ]) {
      const socket = connect(pair.server.port, '127.0.0.1');
      const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
      socket.resume().write(text, 'latin1');
      await closed;
    }
    await expectAlive();
  });
});

describe('the limits of messages', () => {
  it('hold for what a server sends', async () => {
    await expect(collected(pair.client.serverStream({}))).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: 'a crucible.rpctest.v1.ServerStreamResponse of 2005 bytes is above the limit of 1000',
    });
  });

  it('hold for what a server receives', async () => {
    await expect(pair.client.unary({ text: 'x'.repeat(998) })).rejects.toMatchObject({ code: 'resource-exhausted' });
    expect((await pair.client.unary({ text: 'x'.repeat(900) })).text).toMatch(/^x{900}/);
  });

  it('hold for what a client sends and receives', async () => {
    await using small = await startPair(
      { unary: ({ text }) => ({ text: text.repeat(2) }) },
      {},
      { limits: { maxSendBytes: 100, maxReceiveBytes: 100 } },
    );
    await expect(small.client.unary({ text: 'x'.repeat(101) })).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: 'a crucible.rpctest.v1.UnaryRequest of 103 bytes is above the limit of 100',
    });
    await expect(small.client.unary({ text: 'x'.repeat(60) })).rejects.toMatchObject({ code: 'resource-exhausted' });
    expect((await small.client.unary({ text: 'x'.repeat(40) })).text).toBe('x'.repeat(80));
  });
});

/** gRPC by hand, for what no well-behaved client sends. */
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';

export interface RawCall extends Disposable {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  /** Headers and trailers of the answer; `undefined` when the stream or the connection was cut off. */
  readonly answer: Promise<IncomingHttpHeaders | undefined>;
}

/** Opens a call and sends `body` as it is; it goes on sending until `stream.end()`. */
export function rawCall(
  port: number,
  method: string,
  body: Buffer = Buffer.alloc(0),
  headers: IncomingHttpHeaders = {},
): RawCall {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/crucible.rpctest.v1.RpcTestService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  if (body.length > 0) stream.write(body);
  const answer = new Promise<IncomingHttpHeaders | undefined>((resolve) => {
    let all: IncomingHttpHeaders | undefined;
    stream.on('response', (first) => (all = { ...first }));
    stream.on('trailers', (last) => (all = { ...all, ...last }));
    for (const event of ['end', 'close']) stream.on(event, () => resolve(all));
  });
  stream.resume();
  return { session, stream, answer, [Symbol.dispose]: () => session.destroy() };
}

/** A message in the frame of gRPC: a flag, four bytes of length, the bytes. */
export function framed(message: Buffer, { compressed = false, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/**
 * One call of any kind: requests out and responses in, each at the pace of the slower side. A call with a single request
 * or response is the same on the wire.
 */
import { setImmediate } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Client, ClientDuplexStream, Metadata, ServiceError } from '@grpc/grpc-js';
import type { DescMessage, DescMethod } from '@bufbuild/protobuf';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { decode, encode } from './codec.ts';
import { methodDefinition, streamsRequests } from './method.ts';
import { untilAborted } from './until-aborted.ts';
import { errorFromServiceError } from './wire-error.ts';
import { writeWithPressure } from './write-with-pressure.ts';

export interface CallSettings {
  /** Method and target, for messages. */
  readonly what: string;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly metadata: Metadata;
  /** Any of them cancels the call. */
  readonly signals: readonly AbortSignal[];
  readonly maxSendBytes: number;
}

/** `request`: a message, or an async iterable of them where the method streams them. Begins when a response is asked for. */
export async function* openCall(
  client: Client,
  method: DescMethod,
  request: object,
  settings: CallSettings,
): AsyncGenerator<object, void, undefined> {
  const { what, deadline, metadata, signals, maxSendBytes } = settings;
  throwIfAborted(signals, what);
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, { deadline });
  const ended = new AbortController();
  stream.on('status', () => ended.abort());
  // The loop below throws what goes wrong; without a listener, an error after the loop was left would end the process.
  stream.on('error', () => undefined);
  const cancel = (): void => stream.cancel();
  for (const signal of signals) signal.addEventListener('abort', cancel);

  const requests = streamsRequests(method) ? untilAborted(request as AsyncIterable<object>, ended.signal) : [request];
  const encodeRequest = (message: object): Buffer => encodeOwn(method.input, message, maxSendBytes, what);
  let sendError: CrucibleError | undefined;
  send(stream, requests, encodeRequest, ended.signal).catch((reason: unknown) => {
    if (ended.signal.aborted) return;
    sendError = CrucibleError.from(reason);
    cancel();
  });
  try {
    for await (const bytes of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      throwIfAborted(signals, what);
      yield decodeForeign(method.output, bytes, what);
    }
  } catch (reason) {
    if (reason instanceof CrucibleError) throw reason;
    if (sendError !== undefined) throw sendError;
    const error = reason as ServiceError;
    if (error.code === status.CANCELLED) throwIfAborted(signals, what);
    throw errorFromServiceError(error, what);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', cancel);
    cancel();
  }
}

async function send(
  stream: ClientDuplexStream<Buffer, Buffer>,
  requests: AsyncIterable<object> | Iterable<object>,
  encodeRequest: (message: object) => Buffer,
  ended: AbortSignal,
): Promise<void> {
  let sent = 0;
  for await (const request of requests) {
    await writeWithPressure(stream, encodeRequest(request), ended);
    // grpc-js takes the first MiB at once, to have it for a retry: a source that never waits would fill it in one go, and
    // keep everything else in the process from running meanwhile.
    if (++sent % 32 === 0) await setImmediate();
  }
  stream.end();
}

function encodeOwn(schema: DescMessage, message: object, maxBytes: number, what: string): Buffer {
  try {
    return encode(schema, message, maxBytes);
  } catch (reason) {
    if (reason instanceof CrucibleError) throw reason;
    throw invalidInput(`${what}: the request is not a ${schema.typeName}: ${CrucibleError.from(reason).message}`, {
      cause: reason,
    });
  }
}

function decodeForeign(schema: DescMessage, bytes: Buffer, what: string): object {
  try {
    return decode(schema, bytes);
  } catch (reason) {
    throw new CrucibleError(
      'internal',
      `${what}: the answer is not a ${schema.typeName}: ${CrucibleError.from(reason).message}`,
      { cause: reason },
    );
  }
}

/** The reason of a signal counts when it says more than that somebody aborted it: a deadline, a server shutting down. */
function throwIfAborted(signals: readonly AbortSignal[], what: string): void {
  const signal = signals.find(({ aborted }) => aborted);
  if (signal === undefined) return;
  const reason: unknown = signal.reason;
  const known = reason instanceof CrucibleError || (reason instanceof Error && reason.name === 'TimeoutError');
  if (!known) throw new CrucibleError('cancelled', `${what} was cancelled`, { cause: reason });
  const { code, message } = CrucibleError.from(reason);
  throw new CrucibleError(code, `${what} was given up: ${message}`, { cause: reason });
}

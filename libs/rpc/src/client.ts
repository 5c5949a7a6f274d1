/**
 * gRPC clients. Every call has a deadline, can be cancelled, and fails with a CrucibleError. A client keeps a connection
 * to the server that its target stands for, or to each of them, and makes a new one when it was lost.
 */
import type { DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { CallContext } from './call-context.ts';
import { assertWholeNumber, maxTimerMs } from './whole-number.ts';
import { createChannel } from './channel.ts';
import { openCall } from './client-call.ts';
import { resolveMessageLimits } from './limits.ts';
import type { MessageLimits } from './limits.ts';
import { metadataFromHeaders, propagatedHeaders } from './metadata.ts';
import type { MetadataInit } from './metadata.ts';
import { methodName, streamsResponses } from './method.ts';
import type { MethodKind } from './service.ts';
import { assertTarget } from './target.ts';
import { channelCredentials } from './tls.ts';
import type { ClientTls } from './tls.ts';

export interface ClientOptions<S extends DescService = DescService> {
  /** How long a call may take, from its beginning to the last message of its answer. Default 1 minute. */
  readonly deadlineMs?: number;

  /** Sent with every call. */
  readonly metadata?: MetadataInit;

  /**
   * Methods to try up to 4 times when the server is `unavailable`, waiting 0.1 to 2 seconds in between. The service must
   * have declared them idempotent; a stream is tried again only before its first message. Default: none.
   */
  readonly retry?: readonly (keyof S['method'] & string)[];

  /** Wait for the server, up to the deadline, rather than fail when it cannot be reached. Default false. */
  readonly waitForReady?: boolean;

  /**
   * What to do with several addresses: `pick_first` stays with one that answers, `round_robin` spreads the calls over
   * all. Default `pick_first`.
   */
  readonly loadBalancing?: 'pick_first' | 'round_robin';

  readonly limits?: MessageLimits;

  /** Default: plain text. */
  readonly tls?: ClientTls;
}

export interface CallOptions {
  /** Default: the client's. */
  readonly deadlineMs?: number;

  /** Cancels the call. */
  readonly signal?: AbortSignal;

  /** Wins over the client's and the parent's. */
  readonly metadata?: MetadataInit;

  /**
   * The call that this one is made for: it ends with it, has no longer a deadline, and carries its `x-request-id` and
   * W3C trace context.
   */
  readonly parent?: CallContext;

  /** Default: the client's. */
  readonly waitForReady?: boolean;
}

/**
 * A stream of responses is an async generator: the call begins when its first item is asked for, reads on as items are
 * asked for, and is cancelled when it is left early.
 */
export type ClientMethod<M> =
  M extends MethodKind<'unary', infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : M extends MethodKind<'server_streaming', infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncGenerator<MessageShape<O>, void, undefined>
      : M extends MethodKind<'client_streaming', infer I, infer O>
        ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => Promise<MessageShape<O>>
        : M extends MethodKind<'bidi_streaming', infer I, infer O>
          ? (
              requests: AsyncIterable<MessageInitShape<I>>,
              options?: CallOptions,
            ) => AsyncGenerator<MessageShape<O>, void, undefined>
          : never;

/** A function for every method of the service. */
export type Client<S extends DescService> = {
  readonly [M in keyof S['method']]: ClientMethod<S['method'][M]>;
} & Disposable & {
    /** Closes the connections. Calls at work finish; later ones fail. */
    close(): void;
  };

const defaultDeadlineMs = 60_000;

/**
 * `target`: `host:port`, `dns:///host:port`, `ipv4:address:port,address:port` or `unix:/path`. Nothing is connected
 * before the first call.
 */
export function createClient<S extends DescService>(
  service: S,
  target: string,
  options: ClientOptions<S> = {},
): Client<S> {
  const { deadlineMs = defaultDeadlineMs, metadata, waitForReady = false } = options;
  assertTarget(target);
  assertWholeNumber('deadlineMs', deadlineMs, 1, maxTimerMs);
  const limits = resolveMessageLimits(options.limits);
  const grpc = createChannel(target, {
    credentials: channelCredentials(options.tls, target),
    serverName: options.tls?.serverName,
    limits,
    loadBalancing: options.loadBalancing ?? 'pick_first',
    retry: (options.retry ?? []).map((name) => idempotentMethod(service, name)),
  });
  let closed = false;

  async function* call(
    method: DescMethod,
    request: object,
    given: CallOptions = {},
  ): AsyncGenerator<object, void, undefined> {
    if (closed) throw new CrucibleError('failed-precondition', `${target}: this client has been closed`);
    const { signal, parent } = given;
    const ms = given.deadlineMs ?? deadlineMs;
    assertWholeNumber('deadlineMs', ms, 1, maxTimerMs);
    const sent = metadataFromHeaders(
      metadata,
      parent && propagatedHeaders(parent.metadata, parent.requestId),
      given.metadata,
    );
    sent.setOptions({ waitForReady: given.waitForReady ?? waitForReady });
    yield* openCall(grpc, method, request, {
      what: `${methodName(method)} at ${target}`,
      deadline: Math.min(Date.now() + ms, parent?.deadline ?? Infinity),
      metadata: sent,
      signals: [signal, parent?.signal].filter((one) => one !== undefined),
      maxSendBytes: limits.maxSendBytes,
    });
  }

  const methods = service.methods.map(
    (method) =>
      [
        method.localName,
        (request: object, given?: CallOptions) => {
          const responses = call(method, request, given);
          return streamsResponses(method) ? responses : only(responses, method);
        },
      ] as const,
  );
  const close = (): void => {
    closed = true;
    grpc.close();
  };
  return { ...Object.fromEntries(methods), close, [Symbol.dispose]: close } as Client<S>;
}

function idempotentMethod(service: DescService, name: string): DescMethod {
  const method = service.method[name];
  if (method === undefined || method.idempotency === Idempotency.IDEMPOTENCY_UNKNOWN)
    throw invalidInput(`retry: ${service.typeName} declares no idempotent method ${name}`, { at: 'retry' });
  return method;
}

async function only(responses: AsyncIterable<object>, method: DescMethod): Promise<object> {
  let answer: object | undefined;
  for await (const response of responses) {
    if (answer !== undefined) throw new CrucibleError('internal', `${methodName(method)}: more than one answer came`);
    answer = response;
  }
  if (answer === undefined) throw new CrucibleError('internal', `${methodName(method)}: no answer came`);
  return answer;
}

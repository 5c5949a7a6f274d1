/**
 * Between grpc-js and the handlers: contexts, messages, back-pressure and errors. Whatever a handler does, its call ends
 * once, and is reported when the handler has come to its end.
 */
import { randomUUID } from 'node:crypto';
import type { ServerDuplexStream, UntypedHandleCall, sendUnaryData } from '@grpc/grpc-js';
import type { DescMessage, DescMethod } from '@bufbuild/protobuf';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ErrorCode } from '@crucible/foundation';
import type { CallContext } from './call-context.ts';
import { decode, encode } from './codec.ts';
import { headersFromMetadata, requestIdKey } from './metadata.ts';
import { methodName, streamsRequests, streamsResponses } from './method.ts';
import type { AnyHandler } from './service.ts';
import { untilAborted } from './until-aborted.ts';
import { wireErrorFrom } from './wire-error.ts';
import type { WireError } from './wire-error.ts';
import { writeWithPressure } from './write-with-pressure.ts';

/** What became of a call, for logs and metrics. */
export interface CallReport {
  /** `crucible.policy.v1.PolicyService/Generate` */
  readonly method: string;
  readonly requestId: string;
  readonly peer: string;
  /** From the moment that the handler could begin until it came to its end. */
  readonly durationMs: number;
  readonly code: 'ok' | ErrorCode;
  /** Unless `ok`. Of an internal error the caller learns nothing: this is the one place that has its cause. */
  readonly error?: CrucibleError;
}

export interface CallHostOptions {
  readonly maxSendBytes: number;
  readonly onCallEnd: ((report: CallReport) => void) | undefined;
}

/** Any call of grpc-js; one of its kind has `request` or is readable, and is writable or has a callback. */
type ServerCall = ServerDuplexStream<Buffer, Buffer> & { readonly request: Buffer };

/** A call that is being answered. */
interface OpenCall {
  readonly context: CallContext;
  /** Aborts the signal of the context; later reasons change nothing. */
  readonly abort: (reason: CrucibleError) => void;
  readonly close: () => void;
}

/** Timers may fire a little before the clock says so. */
const timerToleranceMs = 2;

const requestIdPattern = /^[\x21-\x7e]{1,128}$/;

/** The calls of one server. */
export class CallHost {
  readonly #options: CallHostOptions;
  readonly #open = new Set<OpenCall>();

  constructor(options: CallHostOptions) {
    this.#options = options;
  }

  /** Calls whose handlers have not come to their end. */
  get activeCalls(): number {
    return this.#open.size;
  }

  /** Aborts the signals of all calls; a handler that stops because of it sends `reason` to its caller. */
  abortAll(reason: CrucibleError): void {
    for (const call of this.#open) call.abort(reason);
  }

  /** What grpc-js is to call for `method`. */
  handle(method: DescMethod, handler: AnyHandler): UntypedHandleCall {
    const { input, output } = method;
    const encodeResponse = (message: object): Buffer => encode(output, message, this.#options.maxSendBytes);
    const serve = (call: ServerCall, callback?: sendUnaryData<Buffer>): void => {
      const answer = async (context: CallContext): Promise<Buffer | undefined> => {
        const request = streamsRequests(method)
          ? requestsOf(call, input, context.signal)
          : decodeRequest(input, call.request);
        const response = handler(request, context);
        if (!streamsResponses(method)) return encodeResponse((await response) as object);
        for await (const message of response as AsyncIterable<object>)
          await writeWithPressure(call, encodeResponse(message), context.signal);
        return undefined;
      };
      const settle = (error: WireError | undefined, response: Buffer | undefined): void => {
        if (callback !== undefined) callback(error ?? null, response);
        else if (error === undefined) call.end();
        // How grpc-js is told the status of a stream.
        else call.emit('error', error);
      };
      void this.#run(call, method, answer, settle);
    };
    return serve as unknown as UntypedHandleCall;
  }

  async #run(
    call: ServerCall,
    method: DescMethod,
    answer: (context: CallContext) => Promise<Buffer | undefined>,
    settle: (error: WireError | undefined, response: Buffer | undefined) => void,
  ): Promise<void> {
    const open = openCall(call, method);
    const { signal, requestId, peer } = open.context;
    const begun = performance.now();
    this.#open.add(open);
    let error: CrucibleError | undefined;
    try {
      const response = await answer(open.context);
      if (call.cancelled) throw signal.reason;
      settle(undefined, response);
    } catch (reason) {
      error = signal.aborted ? (signal.reason as CrucibleError) : errorFromHandler(reason);
      settle(wireErrorFrom(error, requestId), undefined);
    } finally {
      open.close();
      this.#open.delete(open);
    }
    this.#options.onCallEnd?.({
      method: open.context.method,
      requestId,
      peer,
      durationMs: performance.now() - begun,
      code: error?.code ?? 'ok',
      ...(error === undefined ? {} : { error }),
    });
  }
}

function openCall(call: ServerCall, method: DescMethod): OpenCall {
  const controller = new AbortController();
  const name = methodName(method);
  const given = call.getDeadline();
  const deadline = given instanceof Date ? given.getTime() : given;
  const metadata = headersFromMetadata(call.metadata);
  const givenId = metadata.get(requestIdKey);
  const abort = (reason: CrucibleError): void => controller.abort(reason);

  const expire = (): void => abort(new CrucibleError('deadline-exceeded', `${name}: the deadline of the call passed`));
  // grpc-js tells of a passed deadline as of a cancelled call, and not before the caller has read all that was written.
  const timer = deadline === Infinity ? undefined : setTimeout(expire, deadline - Date.now());
  const onCancelled = (): void => {
    if (Date.now() + timerToleranceMs >= deadline) expire();
    else abort(new CrucibleError('cancelled', `${name}: the caller cancelled the call or is gone`));
  };
  call.on('cancelled', onCancelled);
  if (call.cancelled) onCancelled();

  return {
    context: {
      method: name,
      signal: controller.signal,
      deadline,
      metadata,
      peer: call.getPeer(),
      requestId: givenId !== null && requestIdPattern.test(givenId) ? givenId : randomUUID(),
    },
    abort,
    close: () => {
      clearTimeout(timer);
      call.off('cancelled', onCancelled);
    },
  };
}

async function* requestsOf(call: ServerCall, schema: DescMessage, signal: AbortSignal): AsyncGenerator<object> {
  // A handler may stop reading before the caller stops sending, and then still answer: that must not close the call.
  const chunks = call.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const bytes of untilAborted(chunks, signal)) yield decodeRequest(schema, bytes);
  signal.throwIfAborted();
}

function decodeRequest(schema: DescMessage, bytes: Buffer): object {
  try {
    return decode(schema, bytes);
  } catch (reason) {
    throw invalidInput(`the request is not a ${schema.typeName}: ${CrucibleError.from(reason).message}`, {
      cause: reason,
    });
  }
}

/** What a handler throws on purpose is a CrucibleError; whatever else it throws is a bug, even when it has a known name. */
function errorFromHandler(reason: unknown): CrucibleError {
  if (reason instanceof CrucibleError) return reason;
  return new CrucibleError('internal', CrucibleError.from(reason).message, { cause: reason });
}

/**
 * No call lasts for ever: one without a deadline gets one of the server's, and one with a deadline beyond the server's
 * limit is held to the limit. It begins with the headers, so that a caller who never sends its request is cut off too.
 */
import { ServerInterceptingCall, status } from '@grpc/grpc-js';
import type { ServerInterceptor } from '@grpc/grpc-js';

type NextCall = ConstructorParameters<typeof ServerInterceptingCall>[0];
type Listener = Parameters<ServerInterceptingCall['start']>[0];

export interface DeadlineBounds {
  /** Of calls that name none. */
  readonly defaultDeadlineMs: number;
  readonly maxDeadlineMs: number;
}

/** `unbounded`: paths of methods whose calls may last for ever. */
export function deadlineBound(bounds: DeadlineBounds, unbounded: readonly string[]): ServerInterceptor {
  return (method, call) =>
    unbounded.includes(method.path) ? new ServerInterceptingCall(call) : new BoundCall(call, bounds);
}

class BoundCall extends ServerInterceptingCall {
  readonly #given: number;
  readonly #deadline: number;

  constructor(call: NextCall, { defaultDeadlineMs, maxDeadlineMs }: DeadlineBounds) {
    super(call);
    this.#given = Number(call.getDeadline());
    const allowed = Date.now() + (this.#given === Infinity ? defaultDeadlineMs : maxDeadlineMs);
    this.#deadline = Math.min(this.#given, allowed);
  }

  override getDeadline(): number {
    return this.#deadline;
  }

  override start(listener: Listener): void {
    // grpc-js itself watches over the caller's own deadline.
    const timer =
      this.#deadline < this.#given ? setTimeout(() => this.#expire(), this.#deadline - Date.now()) : undefined;
    timer?.unref();
    super.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      // Despite its name it is called at the end of every call.
      onCancel: () => {
        clearTimeout(timer);
        listener.onCancel();
      },
    });
  }

  #expire(): void {
    this.sendStatus({ code: status.DEADLINE_EXCEEDED, details: "the server's deadline for the call passed" });
  }
}

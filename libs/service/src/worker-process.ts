/**
 * Work in a process of its own: calls that answer once, with items on the way. ONNX Runtime blocks the thread it runs on,
 * and a native crash takes the whole process along, so engines and training jobs live behind this.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CrucibleError, type ErrorCode, withDeadline } from '@crucible/foundation';

/** A method of a worker: its arguments, its result, and the items that may come before it. */
export interface WorkerMethod {
  readonly args: unknown;
  readonly result: unknown;
  readonly item: unknown;
}

/** An interface whose every member is a WorkerMethod. */
export type WorkerMethods<M> = { readonly [K in keyof M]: WorkerMethod };

export interface WorkerCallOptions<Item> {
  /** Cancels the call: the worker is told, and how it then ends the call is the call's end. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds that the worker may take to end a cancelled call. Then it counts as hung: it is killed, and all of its
   * calls fail with `unavailable`. Default: 20,000.
   */
  readonly cancelGrace?: number;
  /** Milliseconds that the call may take before the worker counts as hung. Default: as long as it likes. */
  readonly deadline?: number;
  readonly onItem?: (item: Item) => void;
}

export interface WorkerOptions {
  /** Named in errors. */
  readonly name: string;
  /** Additional environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until the worker must be ready. Default: 30,000. */
  readonly startDeadline?: number;
}

type ToWorker =
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: unknown }
  | { readonly kind: 'cancel'; readonly id: number };

type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'item'; readonly id: number; readonly item: unknown }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError };

interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly at: string | undefined;
  readonly stack: string | undefined;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: CrucibleError) => void;
  readonly onItem: ((item: never) => void) | undefined;
}

/** The host's end. When the process dies, every call that waits fails with `unavailable`. */
export class WorkerProcess<M extends WorkerMethods<M>> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  #stopping = false;
  /** Why the process was killed. */
  #hung: string | undefined;
  /** Resolves when the process has ended, with what ended it. */
  readonly exited: Promise<string>;

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        const reason = this.#hung ?? (signal === null ? `exit code ${code}` : `signal ${signal}`);
        const unexpected =
          this.#hung === undefined ? `ended unexpectedly (${reason})` : `hung (${reason}) and was killed`;
        this.#failAll(new CrucibleError('unavailable', `${name} ${this.#stopping ? 'was stopped' : unexpected}`));
        resolve(reason);
      });
    });
  }

  /** Starts `module`, a file that calls `serveWorker`, and waits until it is ready. */
  static async start<M extends WorkerMethods<M>>(module: URL, options: WorkerOptions): Promise<WorkerProcess<M>> {
    const { name, env = {}, startDeadline = 30_000 } = options;
    const child = fork(fileURLToPath(module), {
      serialization: 'advanced',
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const worker = new WorkerProcess<M>(child, name);
    const ready = new Promise<void>((resolve, reject) => {
      child.once('error', (reason) =>
        reject(new CrucibleError('internal', `${name} did not start: ${reason.message}`)),
      );
      child.on('message', (message: FromWorker) => (message.kind === 'ready' ? resolve() : worker.#receive(message)));
      void worker.exited.then((reason) =>
        reject(new CrucibleError('unavailable', `${name} did not start (${reason})`)),
      );
    });
    try {
      await withDeadline(ready, startDeadline, name);
    } catch (reason) {
      child.kill('SIGKILL');
      throw reason;
    }
    return worker;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  call<K extends keyof M & string>(
    method: K,
    args: M[K]['args'],
    { signal, cancelGrace = 20_000, deadline, onItem }: WorkerCallOptions<M[K]['item']> = {},
  ): Promise<M[K]['result']> {
    const id = this.#nextId++;
    return new Promise<M[K]['result']>((resolve, reject) => {
      if (signal?.aborted) {
        reject(new CrucibleError('cancelled', `${method} was cancelled`, { cause: signal.reason }));
        return;
      }
      const kill = (hung: string): void => this.#kill(`${method} did not end within ${hung}`);
      const late = deadline === undefined ? undefined : setTimeout(() => kill(`${deadline} ms`), deadline);
      let uncancelled: NodeJS.Timeout | undefined;
      const cancel = (): void => {
        uncancelled = setTimeout(() => kill(`${cancelGrace} ms of its cancellation`), cancelGrace);
        this.#send({ kind: 'cancel', id });
      };
      const settle = (then: () => void): void => {
        signal?.removeEventListener('abort', cancel);
        clearTimeout(late);
        clearTimeout(uncancelled);
        this.#pending.delete(id);
        then();
      };
      signal?.addEventListener('abort', cancel, { once: true });
      this.#pending.set(id, {
        resolve: (result) => settle(() => resolve(result)),
        reject: (error) => settle(() => reject(error)),
        onItem,
      });
      this.#send({ kind: 'call', id, method, args });
    });
  }

  /** Ends the process: politely, and by force after `graceMs` (default: 2,000). */
  async stop(graceMs = 2000): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#stopping = true;
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #send(message: ToWorker): void {
    if (!this.#child.connected) {
      this.#failAll(new CrucibleError('unavailable', `${this.#name} is not running`));
      return;
    }
    this.#child.send(message, (error) => {
      if (error) this.#failAll(new CrucibleError('unavailable', `${this.#name} cannot be reached: ${error.message}`));
    });
  }

  #receive(message: Exclude<FromWorker, { kind: 'ready' }>): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    switch (message.kind) {
      case 'item':
        pending.onItem?.(message.item as never);
        break;
      case 'result':
        pending.resolve(message.result);
        break;
      case 'error': {
        const { code, message: text, at, stack } = message.error;
        const error = new CrucibleError(code, text, at === undefined ? {} : { at });
        // Where it happened, for logs; where the message arrived tells nothing.
        if (stack !== undefined) error.stack = stack;
        pending.reject(error);
      }
    }
  }

  /** Its calls fail when it has ended: who tries again then finds its successor. */
  #kill(hung: string): void {
    this.#hung ??= hung;
    this.#child.kill('SIGKILL');
  }

  #failAll(error: CrucibleError): void {
    for (const pending of [...this.#pending.values()]) pending.reject(error);
  }
}

export interface WorkerContext<Item> {
  /** Aborted when the host cancels the call. */
  readonly signal: AbortSignal;
  /** Sends an item; resolves when there is room for the next. */
  readonly emit: (item: Item) => Promise<void>;
}

export type WorkerHandlers<M extends WorkerMethods<M>> = {
  readonly [K in keyof M]: (
    args: M[K]['args'],
    context: WorkerContext<M[K]['item']>,
  ) => Promise<M[K]['result']> | M[K]['result'];
};

/** A handler whose method is known at run time alone. */
type AnyHandler = (args: unknown, context: WorkerContext<unknown>) => unknown;

/** The worker's end: answers calls until the host goes away, then the process ends. */
export function serveWorker<M extends WorkerMethods<M>>(handlers: WorkerHandlers<M>): void {
  const byName = handlers as unknown as Readonly<Record<string, AnyHandler>>;
  const running = new Map<number, AbortController>();
  const send = (message: FromWorker): Promise<void> =>
    new Promise((resolve) => {
      if (process.connected) process.send!(message, () => resolve());
      else resolve();
    });
  const answer = async (id: number, method: string, args: unknown): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      if (!Object.hasOwn(byName, method)) throw new Error(`internal: the worker has no method ${method}`);
      const emit = (item: unknown): Promise<void> => send({ kind: 'item', id, item });
      const result = await byName[method]!(args, { signal: controller.signal, emit });
      await send({ kind: 'result', id, result });
    } catch (reason) {
      const { code, message, at } = CrucibleError.from(reason);
      const stack = reason instanceof Error ? reason.stack : undefined;
      await send({ kind: 'error', id, error: { code, message, at, stack } });
    } finally {
      running.delete(id);
    }
  };
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'call') void answer(message.id, message.method, message.args);
    else running.get(message.id)?.abort(new CrucibleError('cancelled', 'the caller cancelled'));
  });
  // The host owns this process: it must not outlive it, and a signal to the whole group is the host's to handle.
  process.on('disconnect', () => process.exit(0));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
  void send({ kind: 'ready' });
}

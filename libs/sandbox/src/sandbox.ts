/**
 * Runs programs: a pool of interpreters that wait, a bounded number of runs at a time, a bounded queue. Every interpreter
 * runs one program.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import type { Boundary, BoundaryName, Interpreter } from './boundary.ts';
import { type Program, type ResolvedProgram, resolveLimits, resolveProgram } from './program.ts';
import type { RunResult } from './outcome.ts';
import { supervise, type SuperviseOptions } from './supervise.ts';

export interface SandboxOptions {
  /** Runs at a time. Default: 4. */
  readonly concurrency?: number;
  /** Runs that may wait for their turn. Default: 64. */
  readonly queue?: number;
  /** Interpreters that wait. Default: 2. */
  readonly warm?: number;
}

export interface SandboxState {
  readonly boundary: BoundaryName;
  /** `CPython 3.11.2` */
  readonly python: string;
  /** In what the boundary is weaker here than it can be; empty at full strength. */
  readonly weaknesses: readonly string[];
  readonly running: number;
  readonly waiting: number;
  /** Interpreters that wait for a program. */
  readonly warm: number;
}

const retryWarmingAfterMs = 1000;

export class Sandbox implements AsyncDisposable {
  readonly #boundary: Boundary;
  readonly #concurrency: number;
  readonly #mostWaiting: number;
  readonly #warmSize: number;
  readonly #warmKind: string;
  readonly #warm = new Set<Interpreter>();
  readonly #waiting: (() => void)[] = [];
  readonly #closing = new AbortController();
  readonly #ends = new Set<Promise<unknown>>();
  #running = 0;
  #warming: Promise<void> | undefined;

  constructor(boundary: Boundary, { concurrency = 4, queue = 64, warm = 2 }: SandboxOptions = {}) {
    this.#boundary = boundary;
    this.#concurrency = concurrency;
    this.#mostWaiting = queue;
    this.#warmSize = warm;
    this.#warmKind = boundary.kindOf(resolveLimits({}));
    void this.warmUp();
  }

  get state(): SandboxState {
    const { name, python, weaknesses } = this.#boundary;
    return {
      boundary: name,
      python,
      weaknesses,
      running: this.#running,
      waiting: this.#waiting.length,
      warm: this.#warm.size,
    };
  }

  /**
   * Runs a program to its end. Whatever it does is in the result; the promise rejects with `invalid-input` for a program
   * that cannot be run as given, `resource-exhausted` when the queue is full, `cancelled` when the signal comes before its
   * turn, and `unavailable` when no interpreter starts or the sandbox closes.
   */
  async run(program: Program, options: SuperviseOptions = {}): Promise<RunResult> {
    const resolved = resolveProgram(program);
    await this.#takeTurn(options.signal);
    const run = this.#runNow(resolved, options);
    this.#ends.add(run);
    try {
      return await run;
    } finally {
      this.#ends.delete(run);
      this.#running--;
      this.#waiting.shift()?.();
      // After the caller has its result: to start a process takes a while.
      setImmediate(() => void this.warmUp());
    }
  }

  /** Resolves when as many interpreters wait as are to. */
  warmUp(): Promise<void> {
    this.#warming ??= this.#fill().finally(() => (this.#warming = undefined));
    return this.#warming;
  }

  /** Ends the runs and everything that waits. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new CrucibleError('unavailable', 'the sandbox is closing'));
    for (const go of this.#waiting.splice(0)) go();
    await Promise.allSettled([...this.#ends, this.#warming]);
    for (const interpreter of this.#warm) interpreter.kill();
    await Promise.all([...this.#warm].map(({ exited }) => exited));
    await this.#boundary.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #takeTurn(signal: AbortSignal | undefined): Promise<void> {
    this.#closing.signal.throwIfAborted();
    if (signal?.aborted) throw cancelledBefore(signal);
    if (this.#running < this.#concurrency) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= this.#mostWaiting) {
      throw new CrucibleError(
        'resource-exhausted',
        `${this.#running} programs run and ${this.#waiting.length} wait already; try again later`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', leave);
        if (this.#closing.signal.aborted) {
          reject(this.#closing.signal.reason as CrucibleError);
          return;
        }
        this.#running++;
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(cancelledBefore(signal!));
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.push(go);
    });
  }

  async #runNow(program: ResolvedProgram, { signal, onOutput }: SuperviseOptions): Promise<RunResult> {
    const interpreter = await this.#take(program);
    const either = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    return supervise(this.#boundary.name, interpreter, program, { signal: either, ...(onOutput && { onOutput }) });
  }

  /** One that waits, when it is of the kind; else a new one. */
  async #take({ limits }: ResolvedProgram): Promise<Interpreter> {
    if (this.#boundary.kindOf(limits) === this.#warmKind) {
      const [first] = this.#warm;
      if (first) {
        this.#warm.delete(first);
        return first;
      }
    }
    return this.#boundary.start(limits);
  }

  async #fill(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#warm.size < this.#warmSize && !signal.aborted) {
      try {
        const interpreter = await this.#boundary.start(resolveLimits({}));
        this.#warm.add(interpreter);
        void interpreter.exited.then(() => {
          if (this.#warm.delete(interpreter)) void this.warmUp();
        });
      } catch {
        // Runs that start one of their own meanwhile say what is wrong.
        await delay(retryWarmingAfterMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function cancelledBefore(signal: AbortSignal): CrucibleError {
  return new CrucibleError('cancelled', 'cancelled while it waited for its turn', { cause: signal.reason });
}

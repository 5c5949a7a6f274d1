/** Runs of the actor that this gateway listens to: followed by any number of readers, answered and cancelled by name. */
import { type ActorRun, openRun, type RunEvent, type RunStart } from '@crucible/actor';
import { CrucibleError } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import type { ActorService } from '@crucible/protos/actor/v1';
import type { Client } from '@crucible/rpc';

export type Approval = Extract<RunEvent, { kind: 'approval' }>;
export type Started = Extract<RunEvent, { kind: 'started' }>;
export type End = Extract<Step, { kind: 'end' }>;

export interface LiveRunOptions {
  /** Interrupts the run, which can be resumed, when it is aborted. */
  readonly signal: AbortSignal;
  /** Told the last step, if there is one. */
  readonly onEnd: (end: End) => void;
}

export class LiveRun {
  readonly #run: ActorRun;
  readonly #interrupt: () => void;
  #isClosing = false;
  /** All that happened, in order. */
  readonly #events: RunEvent[] = [];
  readonly #approvals = new Map<string, Approval>();
  readonly #waiting = new Set<() => void>();
  #state: { readonly ended: false } | { readonly ended: true; readonly error: CrucibleError | undefined } = {
    ended: false,
  };

  constructor(run: ActorRun, interrupt: () => void) {
    this.#run = run;
    this.#interrupt = interrupt;
  }

  /** From now on it is interrupted as soon as it can do nothing but wait for people; it can be resumed. */
  prepareToClose(): void {
    this.#isClosing = true;
    if (this.#approvals.size > 0) this.#interrupt();
  }

  /** Listens to the end; never throws. */
  async listen(onEnd: (end: End) => void): Promise<void> {
    let error: CrucibleError | undefined;
    try {
      for await (const event of this.#run) {
        if (event.kind === 'approval') this.#approvals.set(event.callId, event);
        if (event.kind === 'approval' && this.#isClosing) this.#interrupt();
        if (event.kind === 'step' && event.step.kind === 'end') onEnd(event.step);
        this.#events.push(event);
        this.#wake();
      }
    } catch (reason) {
      error = CrucibleError.from(reason);
    }
    this.#approvals.clear();
    this.#state = { ended: true, error };
    this.#wake();
  }

  /** What happened after a step, and what happens, to the end; approvals only while they wait for an answer. */
  async *follow(afterStep: number, signal: AbortSignal): AsyncGenerator<RunEvent, void, undefined> {
    for (let next = 0; ;) {
      while (next < this.#events.length) {
        const event = this.#events[next++]!;
        if (event.kind === 'step' && event.step.number <= afterStep) continue;
        if (event.kind === 'approval' && !this.#approvals.has(event.callId)) continue;
        yield event;
      }
      if (this.#state.ended) {
        if (this.#state.error) throw this.#state.error;
        return;
      }
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /** What the run began with; throws what it could not begin for. */
  async started(signal: AbortSignal): Promise<Started> {
    for await (const event of this.follow(0, signal)) if (event.kind === 'started') return event;
    throw new CrucibleError('unavailable', 'the actor did not say that the run began');
  }

  /** Whether the answer was for a call that waits for one here. */
  decide(callId: string, approved: boolean, reason: string | undefined): boolean {
    if (!this.#approvals.delete(callId)) return false;
    this.#run.decide(callId, approved ? { approved } : { approved, ...(reason !== undefined && { reason }) });
    return true;
  }

  cancel(): void {
    this.#run.cancel();
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

export class LiveRuns {
  readonly #actor: Client<typeof ActorService>;
  readonly #runs = new Map<string, LiveRun>();
  #isClosing = false;

  constructor(actor: Client<typeof ActorService>) {
    this.#actor = actor;
  }

  /** Starts or resumes a run of this id; what is wrong with it comes when it is followed. */
  open(id: string, start: RunStart, { signal, onEnd }: LiveRunOptions): LiveRun {
    if (this.#runs.has(id))
      throw new CrucibleError('conflict', 'there is a run of this id under way', { at: 'run_id' });
    const own = new AbortController();
    const interrupt = (): void =>
      own.abort(new CrucibleError('unavailable', 'the gateway is shutting down; the run waits and can be resumed'));
    const run = new LiveRun(openRun(this.#actor, start, { signal: AbortSignal.any([signal, own.signal]) }), interrupt);
    if (this.#isClosing) run.prepareToClose();
    this.#runs.set(id, run);
    void run.listen(onEnd).finally(() => this.#runs.delete(id));
    return run;
  }

  /** Of a gateway that closes: runs that wait for people need not be waited for. */
  prepareToClose(): void {
    this.#isClosing = true;
    for (const run of this.#runs.values()) run.prepareToClose();
  }

  find(id: string): LiveRun | undefined {
    return this.#runs.get(id);
  }
}

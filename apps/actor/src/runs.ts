/** The runs that are under way: as many as may be, each with one who listens. */
import { randomUUID } from 'node:crypto';
import type { RunSpec } from '@crucible/actor';
import { CrucibleError } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import type { Logger } from '@crucible/service';
import { EventQueue } from './event-queue.ts';
import { type PlanServices, resolvePlan } from './run-plan.ts';
import { RunSession, type SessionEvent } from './run-session.ts';
import type { Dated } from './journal.ts';
import { assertRunId, type OpenRun, type RunStore } from './run-store.ts';
import type { StepEvents } from './step-events.ts';

export interface RunsInit {
  readonly store: RunStore;
  readonly services: PlanServices;
  readonly events: StepEvents | undefined;
  readonly log: Logger;
  /** Runs at a time. */
  readonly mostRuns: number;
  readonly approvalTimeout: number;
}

/** A run that somebody listens to. */
export interface LiveRun {
  readonly runId: string;
  readonly model: string;
  readonly modelVersion: number;
  readonly events: AsyncIterable<SessionEvent>;
  /** Undefined: the run has ended, and only its steps are told. */
  readonly session: RunSession | undefined;
}

interface Slot {
  session: RunSession | undefined;
  readonly done: Promise<void>;
}

export class Runs {
  readonly #init: RunsInit;
  /** By the id of the run; while it is being prepared too. */
  readonly #slots = new Map<string, Slot>();

  constructor(init: RunsInit) {
    this.#init = init;
  }

  async start(spec: RunSpec, signal: AbortSignal): Promise<LiveRun> {
    const runId = spec.runId ?? randomUUID();
    assertRunId(runId);
    if (this.#slots.has(runId))
      throw new CrucibleError('conflict', `run_id: there is a run ${runId}`, { at: 'run_id' });
    return this.#live(runId, 0, signal, async () => {
      const resolved = await resolvePlan(spec, this.#init.services, signal);
      return {
        resolved,
        open: () => {
          const { name: model, version: modelVersion } = resolved.model;
          return this.#init.store.create({ kind: 'start', runId, spec, model, modelVersion });
        },
      };
    });
  }

  /** Who listened before is sent away: it may be somebody who is gone and has not been missed yet. */
  async resume(runId: string, afterStep: number, signal: AbortSignal): Promise<LiveRun> {
    this.#init.store.get(runId);
    const before = this.#slots.get(runId);
    if (before) {
      if (!before.session)
        throw new CrucibleError('conflict', `run_id: ${runId} is just being begun`, { at: 'run_id' });
      before.session.interrupt(new CrucibleError('conflict', `${runId}: somebody else listens now`));
      await before.done;
    }
    const { end, model, modelVersion } = this.#init.store.get(runId);
    if (end) return { runId, model, modelVersion, events: this.#told(runId, afterStep), session: undefined };
    return this.#live(runId, afterStep, signal, async () => {
      const start = this.#init.store.entries(runId)[0];
      if (start?.kind !== 'start') throw new CrucibleError('internal', `${runId} has no beginning`);
      return {
        resolved: await resolvePlan(start.spec, this.#init.services, signal, start.model),
        open: () => this.#init.store.open(runId),
      };
    });
  }

  #told(runId: string, afterStep: number): EventQueue<SessionEvent> {
    const events = new EventQueue<SessionEvent>();
    for (const entry of this.#init.store.entries(runId))
      if (entry.kind === 'step' && entry.step.number > afterStep) void events.push({ kind: 'step', step: entry.step });
    events.close();
    return events;
  }

  prepareToClose(): void {
    for (const { session } of this.#slots.values()) session?.prepareToClose();
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.#slots.values(), ({ done }) => done));
  }

  async #live(
    runId: string,
    afterStep: number,
    signal: AbortSignal,
    prepare: () => Promise<{
      readonly resolved: Awaited<ReturnType<typeof resolvePlan>>;
      readonly open: () => OpenRun;
    }>,
  ): Promise<LiveRun> {
    const { mostRuns, approvalTimeout, events, log } = this.#init;
    if (this.#slots.has(runId))
      throw new CrucibleError('conflict', `run_id: somebody listens to ${runId}`, { at: 'run_id' });
    if (this.#slots.size >= mostRuns)
      throw new CrucibleError('resource-exhausted', `${mostRuns} runs are under way; no more are taken at present`);
    const { promise: done, resolve: finish } = Promise.withResolvers<undefined>();
    const slot: Slot = { session: undefined, done: done.then(() => undefined) };
    this.#slots.set(runId, slot);
    const leave = (): void => {
      this.#slots.delete(runId);
      finish(undefined);
    };
    let resolved: Awaited<ReturnType<typeof resolvePlan>> | undefined;
    let open: OpenRun | undefined;
    try {
      const prepared = await prepare();
      ({ resolved } = prepared);
      signal.throwIfAborted();
      const { plan, model } = resolved;
      open = prepared.open();
      const opened = open;
      const { createdAt } = open.record;
      const onPublished = (step: number): void => opened.append({ kind: 'published', step });
      const published = { runId, createdAt, onPublished };
      const onStep = (step: Step): void => events?.publish(published, step);
      for (const step of unpublishedSteps(open.entries)) onStep(step);
      const session = new RunSession({ open, plan, afterStep, approvalTimeout, onStep });
      slot.session = session;
      log.info({ runId, strategy: plan.strategy.name, model: model.name }, 'a run is under way');
      const held = resolved;
      void session.work().finally(async () => {
        opened[Symbol.dispose]();
        await Promise.resolve(held[Symbol.asyncDispose]()).catch(() => undefined);
        log.info({ runId, reason: opened.record.end?.reason ?? 'interrupted' }, 'a run is over');
        leave();
      });
      const { model: name, modelVersion } = open.record;
      return { runId, model: name, modelVersion, events: session.events, session };
    } catch (reason) {
      open?.[Symbol.dispose]();
      await resolved?.[Symbol.asyncDispose]();
      leave();
      throw reason;
    }
  }
}

/** What a crash kept from becoming events. */
function unpublishedSteps(entries: readonly Dated[]): Step[] {
  const published = entries.findLast((entry) => entry.kind === 'published')?.step ?? 0;
  return entries.flatMap((entry) => (entry.kind === 'step' && entry.step.number > published ? [entry.step] : []));
}

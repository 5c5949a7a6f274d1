/**
 * A run while somebody listens to it. It is done from its first step, with what the journal has; what is new goes into the
 * journal before anybody is told. When it is interrupted, it stops where it is and can be opened again.
 */
import { CrucibleError } from '@crucible/foundation';
import {
  LimitReached,
  runStrategy,
  type RunOptions,
  type Services,
  type Step,
  type Strategy,
  type Task,
  type Tool,
  type ToolResult,
} from '@crucible/prompting';
import { ActiveClock } from './active-clock.ts';
import { Approvals } from './approvals.ts';
import { EventQueue } from './event-queue.ts';
import type { Asked } from './journal.ts';
import { recordedModel, recordedRetriever, recordedRunner, Recording } from './recorded-services.ts';
import type { OpenRun } from './run-store.ts';
import { StepLedger } from './step-ledger.ts';
import type { OfferedTool, ToolServices } from './tool-sources.ts';

export type SessionEvent =
  { readonly kind: 'step'; readonly step: Step } | { readonly kind: 'approval'; readonly asked: Asked };

/** What a run is done with. */
export interface RunPlan {
  readonly strategy: Strategy;
  readonly task: Task;
  readonly options: Pick<RunOptions, 'sampling' | 'limits'>;
  readonly timeMs: number;
  readonly services: Pick<Services, 'model' | 'retriever' | 'code'>;
  /** Made anew by every call; `services` are those that are recorded. */
  readonly tools: (services: ToolServices) => readonly OfferedTool[];
}

export interface SessionInit {
  readonly open: OpenRun;
  readonly plan: RunPlan;
  /** The number of the last step that the listener has seen. */
  readonly afterStep: number;
  readonly approvalTimeout: number;
  readonly onStep: (step: Step) => void;
}

/** Of what a tool returns; models are shown far less. */
const mostToolCharacters = 256 * 1024;

/** Time is kept by the clock of the session, which stands still while people are waited for. */
const noTimeLimit = 2 ** 31 - 1;

export class RunSession {
  readonly events = new EventQueue<SessionEvent>();
  readonly #init: SessionInit;
  readonly #ending = new AbortController();
  readonly #clock: ActiveClock;
  readonly #approvals: Approvals;
  readonly #recording: Recording;
  readonly #run: ReturnType<typeof runStrategy>;
  #interruption: CrucibleError | undefined;
  #isClosing = false;

  /** Throws where the plan cannot be: the strategy needs what is not there. */
  constructor(init: SessionInit) {
    this.#init = init;
    const { open, plan } = init;
    const steps = stepsOf(open);
    this.#clock = new ActiveClock(steps.at(-1)?.elapsedMs ?? 0, plan.timeMs, () =>
      this.#ending.abort(new LimitReached('time')),
    );
    this.#recording = new Recording(open.entries, (entry) => open.append(entry));
    this.#approvals = new Approvals({
      entries: open.entries,
      append: (entry, options) => open.append(entry, options),
      tell: (asked) => {
        if (this.#isClosing) this.interrupt(closingError());
        else void this.events.push({ kind: 'approval', asked });
      },
      clock: this.#clock,
      timeout: init.approvalTimeout,
    });
    const { model, retriever, code } = plan.services;
    const recorded = {
      ...(retriever && { retriever: recordedRetriever(retriever, this.#recording) }),
      ...(code && { code: recordedRunner(code, this.#recording) }),
    };
    try {
      this.#run = runStrategy(
        plan.strategy,
        plan.task,
        {
          ...recorded,
          model: recordedModel(model, this.#recording),
          tools: () =>
            plan
              .tools({ ...recorded, keepPicture: (png) => open.keepPicture(png) })
              .map((offered) => this.#recorded(offered)),
        },
        {
          ...plan.options,
          limits: { ...plan.options.limits, timeMs: noTimeLimit },
          signal: this.#ending.signal,
        },
      );
    } catch (reason) {
      this.#clock[Symbol.dispose]();
      throw reason;
    }
  }

  decide(callId: string, approved: boolean, reason: string): void {
    this.#approvals.decide(callId, approved, reason);
  }

  /** Ends the run for good. */
  cancel(): void {
    this.#ending.abort(new CrucibleError('cancelled', 'the run was cancelled'));
  }

  /** Stops the work; the run can be resumed. The listener is told the reason. */
  interrupt(reason: CrucibleError): void {
    this.#interruption ??= reason;
    this.#ending.abort(reason);
    this.events.close(reason);
  }

  /** The server is about to close: who waits for people need not be waited for. */
  prepareToClose(): void {
    this.#isClosing = true;
    if (this.#approvals.isWaiting) this.interrupt(closingError());
  }

  /** Works until the run has ended or is interrupted; never throws. */
  async work(): Promise<void> {
    const { open, afterStep, onStep } = this.#init;
    try {
      const told = stepsOf(open);
      for (const step of told) if (step.number > afterStep) await this.events.push({ kind: 'step', step });
      const ledger = new StepLedger(told, afterStep);
      for (let next = await this.#run.next(); next.done !== true; next = await this.#run.next()) {
        // What comes of the interruption is not a part of the run.
        if (this.#interruption) break;
        const step = ledger.take(next.value, Math.round(this.#clock.elapsedMs));
        if (step === undefined) continue;
        if (step.kind !== 'text') {
          open.append({ kind: 'step', step });
          onStep(step);
        }
        await this.events.push({ kind: 'step', step });
      }
      this.events.close();
    } catch (reason) {
      // A full disk, for example: what is not written down is not done.
      this.interrupt(CrucibleError.from(reason));
    } finally {
      this.#clock[Symbol.dispose]();
      // Its work is told to stop, and not waited for.
      void this.#run.return(undefined as never).catch(() => undefined);
    }
  }

  #recorded({ tool, isPure, needsApproval }: OfferedTool): Tool {
    return {
      ...tool,
      run: async (input, { signal }) => {
        const key = this.#recording.keyOf('tool', this.#init.open.record.runId, tool.name, input);
        const callId = `${tool.name}-${key}`;
        const work = async (): Promise<ToolResult> =>
          bounded(
            needsApproval
              ? await this.#approvals.run(callId, tool, input, { signal, isRepeatable: isPure })
              : await tool.run(input, { signal }),
          );
        // What a pure tool rests on is recorded; it is used again for what it remembers.
        return isPure ? work() : this.#recording.outcome('tool', key, signal, work);
      },
    };
  }
}

function stepsOf(open: OpenRun): Step[] {
  return open.entries.flatMap((entry) => (entry.kind === 'step' ? [entry.step] : []));
}

/** Tools may be anybody's: megabytes are cut, and what is no text becomes one. */
function bounded(result: ToolResult): ToolResult {
  const { text: given, ...shown }: Omit<ToolResult, 'text'> & { text?: unknown } = result;
  const text = typeof given === 'string' ? given : JSON.stringify({ text: given });
  return {
    text: text.length > mostToolCharacters ? text.slice(0, mostToolCharacters).toWellFormed() : text,
    ...shown,
  };
}

function closingError(): CrucibleError {
  return new CrucibleError('unavailable', 'the actor is shutting down; resume the run');
}

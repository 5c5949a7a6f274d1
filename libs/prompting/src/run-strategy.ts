/** Runs a strategy: its steps as they happen, the answer, and one `end`, whatever becomes of it. */
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { assertAnswerKind } from './answers/task-answer.ts';
import { Budget, LimitReached, type Limits, resolveLimits } from './budget.ts';
import { assertSampling, type Draft, Run, type Sampling, type Services, type Task } from './run.ts';
import type { EndReason, Outcome, RunUsage, Step } from './step.ts';
import type { Strategy } from './strategy.ts';
import { Toolbox } from './tool.ts';

export interface RunOptions {
  readonly sampling?: Sampling;
  readonly limits?: Limits;
  /** Ends the run with the reason `cancelled`. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly outcome: Outcome;
  readonly reason: EndReason;
  readonly usage: RunUsage;
  readonly error?: CrucibleError;
}

/**
 * What is wrong with the task, the options or the services is thrown here and now. After that nothing is thrown: a
 * limit, a cancelled signal and a failing model end the run with an `answer`, which holds what there is by then, and an
 * `end` that says why. Leaving the loop early stops all work.
 */
export function runStrategy(
  strategy: Strategy,
  task: Task,
  services: Services,
  { sampling = {}, limits = {}, signal }: RunOptions = {},
): AsyncGenerator<Step, RunResult, undefined> {
  if (task.question.trim() === '') throw invalidInput('question: it is empty', { at: 'question' });
  assertAnswerKind(task.answer ?? { kind: 'text' });
  assertSampling(sampling);
  const resolved = resolveLimits(limits);
  // Opened once to see that they are right; each run of a strategy opens its own.
  const { tools } = new Toolbox(services.tools?.() ?? []);
  for (const need of strategy.needs) {
    const isThere = need === 'tools' ? tools.length > 0 : services[need] !== undefined;
    if (!isThere)
      throw new CrucibleError('failed-precondition', `${strategy.name} needs ${needed[need]}, and there is none`, {
        at: need,
      });
  }
  const ending = new AbortController();
  const budget = new Budget(resolved);
  const run = new Run({
    task,
    services,
    sampling,
    budget,
    signal: signal ? AbortSignal.any([signal, ending.signal]) : ending.signal,
  });
  return execute(strategy, run, budget, ending, resolved.timeMs);
}

const needed = { retriever: 'a retriever', code: 'something that runs programs', tools: 'tools' };

async function* execute(
  strategy: Strategy,
  run: Run,
  budget: Budget,
  ending: AbortController,
  timeMs: number,
): AsyncGenerator<Step, RunResult, undefined> {
  const began = performance.now();
  let number = 0;
  const stamped = (draft: Draft): Step => ({
    ...draft,
    number: ++number,
    elapsedMs: Math.round(performance.now() - began),
    strategy: draft.strategy ?? strategy.name,
  });
  const timer = setTimeout(() => ending.abort(new LimitReached('time')), timeMs);
  const steps = strategy.run(run);
  try {
    let outcome: Outcome;
    let reason: EndReason = 'finished';
    let error: CrucibleError | undefined;
    try {
      let next = await steps.next();
      while (next.done !== true) {
        yield stamped(next.value);
        next = await steps.next();
      }
      outcome = next.value;
    } catch (caught) {
      reason = reasonOf(caught, run.signal);
      if (reason === 'error') error = CrucibleError.from(caught);
      outcome = run.partial ?? { status: 'none', text: '' };
    }
    yield stamped({ kind: 'answer', partial: reason !== 'finished', ...outcome });
    const { usage } = budget;
    const told = error && { code: error.code, message: error.message, ...(error.at !== undefined && { at: error.at }) };
    yield stamped({ kind: 'end', reason, usage, ...(told && { error: told }) });
    return { outcome, reason, usage, ...(error && { error }) };
  } finally {
    clearTimeout(timer);
    ending.abort(new CrucibleError('cancelled', 'the run is over'));
    // Where the steps were left early, what they hold open is closed.
    void steps.return({ status: 'none', text: '' }).catch(() => undefined);
  }
}

function reasonOf(caught: unknown, signal: AbortSignal): EndReason {
  if (caught instanceof LimitReached) return caught.limit;
  if (signal.aborted) return signal.reason instanceof LimitReached ? signal.reason.limit : 'cancelled';
  return 'error';
}

/** Runs to the end: the result, with all steps. */
export async function collectRun(
  run: AsyncGenerator<Step, RunResult, undefined>,
): Promise<RunResult & { readonly steps: readonly Step[] }> {
  const steps: Step[] = [];
  let next = await run.next();
  while (next.done !== true) {
    steps.push(next.value);
    next = await run.next();
  }
  return { ...next.value, steps };
}

/** A run and its trace, kept up to date while somebody looks. */
import { useCallback, useEffect, useState } from 'react';
import { apiKey, isAbort, messageOf } from '../api/http.ts';
import type { Approval } from '../api/chat.ts';
import { followRun, getRun, type RunWithSteps } from '../api/runs.ts';
import { useStore } from '../store.ts';
import { Trace, type TraceView } from '../trace/trace.ts';

export interface WatchedRun {
  readonly run: RunWithSteps | undefined;
  readonly trace: TraceView | undefined;
  readonly approvals: readonly Approval[];
  readonly error: string | undefined;
  readonly reload: () => void;
}

const nothing: Omit<WatchedRun, 'reload'> = { run: undefined, trace: undefined, approvals: [], error: undefined };

/** Milliseconds between two drawings. */
const pace = 100;

/** Give another run another element: what is there of one is not taken for the other's. */
export function useWatchedRun(id: string): WatchedRun {
  const key = useStore(apiKey);
  const [state, setState] = useState(nothing);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const left = new AbortController();
    void watch(id, left.signal, (part) => setState((before) => ({ ...before, ...part })));
    return () => left.abort();
  }, [id, key, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...state, reload };
}

async function watch(
  id: string,
  signal: AbortSignal,
  tell: (part: Partial<Omit<WatchedRun, 'reload'>>) => void,
): Promise<void> {
  const trace = new Trace();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!signal.aborted) tell({ trace: trace.view() });
  };
  try {
    const run = await getRun(id, signal);
    for (const step of run.steps) trace.add(step);
    let approvals = run.approvals;
    tell({ run, approvals, error: undefined });
    draw();
    if (run.state !== 'running' && run.state !== 'waiting') return;
    for await (const update of followRun(id, trace.lastStep, signal)) {
      if (update.kind === 'step') {
        trace.add(update.step);
        timer ??= setTimeout(draw, pace);
      } else {
        approvals = [...approvals.filter((each) => each.id !== update.approval.id), update.approval];
        tell({ approvals });
      }
    }
    draw();
    tell({ run: await getRun(id, signal) });
  } catch (reason) {
    if (isAbort(reason) || signal.aborted) return;
    draw();
    tell({ error: messageOf(reason) });
  }
}

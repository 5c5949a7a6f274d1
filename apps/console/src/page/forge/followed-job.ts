/** A job and its curves, kept up to date while somebody looks. */
import { useEffect, useState } from 'react';
import { apiKey, isAbort, messageOf } from '../api/http.ts';
import { followJob, getJob, isFinal, type Job } from '../api/jobs.ts';
import { useStore } from '../store.ts';
import { Curves, type StageCurves } from './curves.ts';

export interface FollowedJob {
  readonly job: Job | undefined;
  readonly stages: readonly StageCurves[];
  readonly error: string | undefined;
}

/** Milliseconds between two drawings, and until a lost connection is tried again. */
const pace = 500;
const pause = 3000;

export function useFollowedJob(id: string | undefined): FollowedJob {
  const key = useStore(apiKey);
  const [state, setState] = useState<FollowedJob & { readonly id: string | undefined }>(nothing(id));
  useEffect(() => {
    setState(nothing(id));
    if (id === undefined) return;
    const left = new AbortController();
    void follow(id, left.signal, (part) => setState((before) => (before.id === id ? { ...before, ...part } : before)));
    return () => left.abort();
  }, [id, key]);
  return state.id === id ? state : nothing(id);
}

function nothing(id: string | undefined) {
  return { id, job: undefined, stages: [], error: undefined };
}

async function follow(id: string, signal: AbortSignal, tell: (part: Partial<FollowedJob>) => void): Promise<void> {
  const curves = new Curves();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = (): void => {
    timer = undefined;
    tell({ stages: curves.view() });
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  for (;;) {
    try {
      let job = await getJob(id, signal);
      tell({ job, error: undefined });
      for await (const news of followJob(id, signal)) {
        if ('points' in news) {
          curves.add(news.points);
          timer ??= setTimeout(draw, pace);
        } else {
          job = await getJob(id, signal);
          tell({ job });
        }
      }
      job = await getJob(id, signal);
      tell({ job });
      if (isFinal(job.state)) return;
    } catch (reason) {
      if (isAbort(reason)) return;
      tell({ error: messageOf(reason) });
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (signal.aborted) return;
  }
}

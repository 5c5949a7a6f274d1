/** What a page has asked the gateway for. */
import { useCallback, useEffect, useState } from 'react';
import { apiKey, isAbort, messageOf } from '../api/http.ts';
import { useStore } from '../store.ts';

export interface Resource<T> {
  /** The last that came; it stays while the next is on its way. */
  readonly value: T | undefined;
  readonly error: string | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/** Asks again when `load` changes (keep it with useCallback) and when there is another key. */
export function useResource<T>(load: ((signal: AbortSignal) => Promise<T>) | undefined): Resource<T> {
  const key = useStore(apiKey);
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{
    readonly of: typeof load;
    readonly value: T | undefined;
    readonly error: string | undefined;
    readonly isLoading: boolean;
  }>({ of: load, value: undefined, error: undefined, isLoading: load !== undefined });
  useEffect(() => {
    if (!load) return;
    const left = new AbortController();
    setState((before) => ({
      of: load,
      value: before.of === load ? before.value : undefined,
      error: undefined,
      isLoading: true,
    }));
    load(left.signal).then(
      (value) => {
        if (!left.signal.aborted) setState({ of: load, value, error: undefined, isLoading: false });
      },
      (reason: unknown) => {
        if (left.signal.aborted || isAbort(reason)) return;
        setState((before) => ({ ...before, error: messageOf(reason), isLoading: false }));
      },
    );
    return () => left.abort();
  }, [load, key, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  // What belongs to an earlier question is not shown for this one.
  const isCurrent = state.of === load;
  return {
    value: isCurrent ? state.value : undefined,
    error: isCurrent ? state.error : undefined,
    isLoading: isCurrent ? state.isLoading : load !== undefined,
    reload,
  };
}

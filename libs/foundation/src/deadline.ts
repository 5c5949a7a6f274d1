import { CrucibleError } from './error.ts';

/**
 * Waits for `promise` at most `ms` milliseconds; `what` names the wait in the error. The work itself goes on unless it
 * watches a signal of its own.
 */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new CrucibleError('deadline-exceeded', `${what}: no answer within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws a `cancelled` error when the signal is aborted; long loops call it once a turn. */
export function throwIfCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new CrucibleError('cancelled', `${what} was cancelled`, { cause: signal.reason });
}

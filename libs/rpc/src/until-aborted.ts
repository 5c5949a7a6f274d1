/**
 * The items of `source` until `signal` is aborted, even while one of them is long in coming. The source is then told to
 * return, and an error that it still throws is dropped.
 */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  // One listener for all waits: a race with a promise that lives as long as the call would hold on to every turn of it.
  let stop = (): void => undefined;
  const onAbort = (): void => stop();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
      stop = () => resolve(undefined);
      const next = await Promise.race([iterator.next(), stopped]);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not awaited: a generator that is stuck in a wait of its own returns only when that is over.
    iterator.return?.().catch(() => undefined);
  }
}

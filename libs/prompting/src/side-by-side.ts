/**
 * Runs generators at the same time, at most `limit` of them, and yields what they yield as it comes; the results are in
 * the order of `makers`. When one fails, the others are left and the failure is thrown.
 */
export async function* sideBySide<T, R>(
  makers: readonly (() => AsyncGenerator<T, R, undefined>)[],
  limit: number,
): AsyncGenerator<T, R[], undefined> {
  const results: R[] = [];
  const running = new Map<
    number,
    { readonly generator: AsyncGenerator<T, R, undefined>; next: Promise<[number, IteratorResult<T, R>]> }
  >();
  let started = 0;
  const advance = (index: number, generator: AsyncGenerator<T, R, undefined>): void => {
    const next = generator.next().then((result): [number, IteratorResult<T, R>] => [index, result]);
    // It is waited for below; but when another fails first, nobody does.
    next.catch(() => undefined);
    // At the end of the map, so that a fast one does not hold up the others.
    running.delete(index);
    running.set(index, { generator, next });
  };
  try {
    while (started < makers.length || running.size > 0) {
      while (running.size < limit && started < makers.length) {
        advance(started, makers[started]!());
        started++;
      }
      const [index, result] = await Promise.race(Array.from(running.values(), ({ next }) => next));
      const { generator } = running.get(index)!;
      if (result.done === true) {
        running.delete(index);
        results[index] = result.value;
      } else {
        advance(index, generator);
        yield result.value;
      }
    }
    return results;
  } finally {
    for (const { generator } of running.values()) void generator.return(undefined as R).catch(() => undefined);
  }
}

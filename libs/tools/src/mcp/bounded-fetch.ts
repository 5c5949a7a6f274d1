import { CrucibleError } from '@crucible/foundation';

/** `fetch` whose answers end with an error after so many bytes, each by itself. */
export function boundedFetch(
  inner: typeof fetch,
  mostBytes: number,
): (url: string | URL, init?: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const response = await inner(url, init);
    if (response.body === null) return response;
    let left = mostBytes;
    const bounded = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          left -= chunk.length;
          if (left < 0)
            controller.error(new CrucibleError('resource-exhausted', `the answer has more than ${mostBytes} bytes`));
          else controller.enqueue(chunk);
        },
      }),
    );
    const { status, statusText, headers } = response;
    const copy = new Response(bounded, { status, statusText, headers });
    // Callers look at where a redirect came from.
    Object.defineProperty(copy, 'url', { value: response.url });
    return copy;
  };
}

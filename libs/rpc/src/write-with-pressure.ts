import { once } from 'node:events';
import type { Writable } from 'node:stream';

/**
 * Writes and then waits until `stream` takes more, so that no more than its small buffer piles up before a slow reader.
 * The wait ends with an error when `signal` is aborted: grpc-js emits no 'drain' for a call that has ended.
 */
export async function writeWithPressure(stream: Writable, chunk: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!stream.write(chunk)) await once(stream, 'drain', { signal });
}

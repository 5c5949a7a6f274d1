/** Server-sent events; a caller may follow those with numbers again from where it was. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { errorBody } from './http-error.ts';

export interface StreamedEvent {
  /** Counts up; what `after` names. Without it the stream cannot be followed again. */
  readonly id?: number;
  readonly data: object;
}

/** Seconds between comments that keep an idle stream open. */
export const pingSeconds = 15;

/** The last event that a caller has: `?after=`, or what browsers send when they connect again. 0: none. */
export function sequenceAfter(context: Context): number {
  const given = context.req.header('last-event-id') ?? context.req.query('after') ?? '0';
  const after = Number(given);
  if (!/^\d+$/.test(given) || after > 0xffff_ffff)
    throw invalidInput(`after: ${JSON.stringify(given)} is given; the number of an event, or 0, is allowed`, {
      at: 'after',
    });
  return after;
}

/** Streams events to their end, which is `[DONE]`; the signal says that nobody reads any more, or that we close. */
export function respondWithEvents(
  context: Context,
  closing: AbortSignal,
  events: (signal: AbortSignal) => AsyncIterable<StreamedEvent>,
): Response {
  return streamSSE(context, async (stream) => {
    const left = new AbortController();
    stream.onAbort(() => left.abort());
    const ping = setInterval(() => void stream.write(': ping\n\n'), pingSeconds * 1000);
    try {
      const signal = AbortSignal.any([left.signal, context.req.raw.signal, closing]);
      for await (const { id, data } of events(signal))
        await stream.writeSSE({ ...(id !== undefined && { id: String(id) }), data: JSON.stringify(data) });
      await stream.writeSSE({ data: '[DONE]' });
    } catch (reason) {
      // The status has been sent; clients look for an error in the stream.
      const error = CrucibleError.from(closing.aborted ? closing.reason : reason);
      if (!stream.aborted) await stream.writeSSE({ data: JSON.stringify(errorBody(error)) });
    } finally {
      clearInterval(ping);
    }
  });
}

/** An event: a CloudEvents 1.0 envelope around data of the catalogue (https://github.com/cloudevents/spec). */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { eventData, eventTypes, isEventType } from './catalogue.ts';
import type { EventData, EventType } from './catalogue.ts';

interface Envelope<T extends EventType> {
  /** Unique among all events: publishing it again is the same event, not another. At most 200 characters. */
  readonly id: string;
  /** Who says it: a URI reference, `/trainer/worker-1`. */
  readonly source: string;
  readonly type: T;
  /** What it is about within the source, for example the job. */
  readonly subject?: string;
  /** When it happened, RFC 3339. */
  readonly time: string;
  readonly data: EventData<T>;
}

/** An event of one of the types; without a type, of any: narrow it by `event.type`. */
export type BusEvent<T extends EventType = EventType> = { [K in T]: Envelope<K> }[T];

export type NewEvent<T extends EventType> = Omit<Envelope<T>, 'id' | 'time' | 'type'> &
  Partial<Pick<Envelope<T>, 'id' | 'time'>>;

const attributes = z.object({
  id: z.string().min(1).max(200),
  source: z.string().regex(/^[^\s\p{Cc}]+$/u, 'must be a URI reference, without spaces'),
  subject: z.string().min(1).optional(),
  time: z.iso.datetime({ offset: true, message: 'must be a time as RFC 3339 writes it' }),
});

/** By type: all that parseEvent checks. */
const schemas = new Map(eventTypes.map((type) => [type, attributes.extend({ data: eventData[type] })]));

/** Makes an event that happened now, with an id of its own; both can be given. */
export function createEvent<T extends EventType>(type: T, { id, time, ...rest }: NewEvent<T>): BusEvent<T> {
  return { id: id ?? randomUUID(), type, time: time ?? new Date().toISOString(), ...rest };
}

/** Checks an event from outside; fields of the data that the catalogue does not know pass. */
export function parseEvent(value: unknown): BusEvent {
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string' || !isEventType(type))
    throw invalidInput(`event type ${JSON.stringify(type)}: must be one of ${eventTypes.join(', ')}`, { at: 'type' });
  const result = schemas.get(type)!.safeParse(value);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    const at = path.join('.');
    throw invalidInput(`${type}: ${at}: ${message}`, { at });
  }
  const { id, source, subject, time, data } = value as Envelope<EventType>;
  return { id, source, type, ...(subject === undefined ? {} : { subject }), time, data } as BusEvent;
}

/**
 * Most bytes of an event's data as JSON. NATS takes messages of 1 MiB unless told otherwise, headers included; what is
 * larger belongs into a file that the event names.
 */
export const maxDataBytes = 1_000_000;

/** The data as JSON; `invalid-input` when JSON cannot say it, or not within `maxDataBytes`. */
export function encodeData(event: BusEvent): Uint8Array {
  let bytes;
  try {
    bytes = Buffer.from(JSON.stringify(event.data, refuseNonFinite));
  } catch (reason) {
    throw invalidInput(`${event.type}: data: ${(reason as Error).message}`, { at: 'data', cause: reason });
  }
  if (bytes.byteLength > maxDataBytes)
    throw invalidInput(
      `${event.type}: data is ${bytes.byteLength} bytes of JSON, at most ${maxDataBytes} are allowed; ` +
        'publish the uri of a file instead',
      { at: 'data' },
    );
  return bytes;
}

/** JSON would write null for them. */
function refuseNonFinite(key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError(`${key} is ${value}, which JSON cannot say`);
  return value;
}

/** Reads data from JSON. */
export function decodeData(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (reason) {
    throw new CrucibleError('invalid-input', `data is not JSON: ${(reason as Error).message}`, {
      cause: reason,
      at: 'data',
    });
  }
}

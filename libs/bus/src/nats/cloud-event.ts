/**
 * CloudEvents over NATS, as the NATS protocol binding of CloudEvents 1.0 says: written in binary mode (attributes as
 * `ce-` headers, the data as the payload), read in binary and in structured mode (all in one JSON object).
 */
import { headers as createHeaders } from '@nats-io/transport-node';
import type { MsgHdrs } from '@nats-io/transport-node';
import { CrucibleError } from '@crucible/foundation';
import { decodeData, parseEvent } from '../event.ts';
import type { BusEvent } from '../event.ts';
import type { Unreadable } from '../transport.ts';

export interface CloudEventMessage {
  readonly subject: string;
  readonly headers?: MsgHdrs | undefined;
  readonly data: Uint8Array;
  /** When the server stored it, RFC 3339: the time of an event that has none. */
  readonly timestamp: string;
}

export function headersFromEvent({ id, source, type, subject, time }: BusEvent): MsgHdrs {
  const headers = createHeaders();
  const attributes = { specversion: '1.0', id, source, type, subject, time, datacontenttype: 'application/json' };
  for (const [attribute, value] of Object.entries(attributes))
    if (value !== undefined) headers.set(`ce-${attribute}`, encodeHeader(value));
  return headers;
}

/** The event that a message carries, or why it carries none, or none of the type that belongs where it was found. */
export function eventFromMessage(message: CloudEventMessage, expected?: string): BusEvent | Unreadable {
  try {
    const contentType = message.headers === undefined ? '' : headerOf(message.headers, 'content-type');
    const isStructured = contentType?.toLowerCase().startsWith('application/cloudevents') ?? false;
    const { specversion, datacontenttype, time, ...rest } = isStructured ? structured(message) : binary(message);
    if (specversion !== '1.0') throw new CrucibleError('invalid-input', 'no CloudEvent of specversion 1.0');
    if (datacontenttype !== undefined && !isJson(datacontenttype))
      throw new CrucibleError('invalid-input', `datacontenttype ${JSON.stringify(datacontenttype)} is not JSON`);
    if (expected !== undefined && rest['type'] !== expected)
      throw new CrucibleError('invalid-input', `type ${JSON.stringify(rest['type'])} on subject ${message.subject}`);
    return parseEvent({ time: time ?? message.timestamp, ...rest });
  } catch (reason) {
    return { problem: `unreadable: ${CrucibleError.from(reason).message}`, raw: rawFrom(message) };
  }
}

function isJson(contentType: unknown): boolean {
  return typeof contentType === 'string' && /^application\/([^;]+\+)?json *(;|$)/i.test(contentType);
}

type Attributes = Record<string, unknown>;

function structured({ data }: CloudEventMessage): Attributes {
  const value = decodeData(data);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function binary({ headers, data }: CloudEventMessage): Attributes {
  const attributes: Attributes = {};
  for (const key of headers?.keys() ?? []) {
    const attribute = /^ce-(.+)$/i.exec(key)?.[1];
    if (attribute !== undefined) attributes[attribute.toLowerCase()] = decodeHeader(headers!.get(key));
  }
  return attributes['specversion'] === undefined ? attributes : { ...attributes, data: decodeData(data) };
}

function headerOf(headers: MsgHdrs, name: string): string | undefined {
  const key = headers.keys().find((candidate) => candidate.toLowerCase() === name);
  return key === undefined ? undefined : headers.get(key);
}

/** Space, `"`, `%` and all that is not printable ASCII as percent-encoded UTF-8. */
export function encodeHeader(value: string): string {
  return value
    .toWellFormed()
    .replace(/[^\x21\x23\x24\x26-\x7e]+/g, (characters) =>
      Buffer.from(characters).reduce((text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, '0')}`, ''),
    );
}

export function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (reason) {
    throw new CrucibleError('invalid-input', `${JSON.stringify(value)} is not percent-encoded UTF-8`, {
      cause: reason,
    });
  }
}

/** All of a message as text, for a person who looks at dead letters. */
function rawFrom({ subject, headers, data }: CloudEventMessage): string {
  const entries = [...(headers ?? [])].map(([key, values]) => [key, values.join(', ')]);
  return JSON.stringify({
    subject,
    headers: Object.fromEntries(entries) as unknown,
    body: Buffer.from(data).toString(),
  });
}

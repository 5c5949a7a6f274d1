import { describe, expect, it } from 'vitest';
import { headers as createHeaders } from '@nats-io/transport-node';
import { encodeData } from '../event.ts';
import { progress } from '../sample-events.ts';
import { decodeHeader, encodeHeader, eventFromMessage, headersFromEvent } from './cloud-event.ts';
import type { CloudEventMessage } from './cloud-event.ts';

const event = progress('a', 1);

function message(
  changes: Record<string, string | undefined> = {},
  body = JSON.stringify(event.data),
): CloudEventMessage {
  const headers = headersFromEvent(event);
  for (const [key, value] of Object.entries(changes)) {
    headers.delete(key);
    if (value !== undefined) headers.set(key, value);
  }
  return { subject: event.type, headers, data: Buffer.from(body), timestamp: '2026-11-23T00:00:00Z' };
}

describe('encodeHeader', () => {
  // The examples of the HTTP binding of CloudEvents, whose rule the NATS binding shares.
  it('encodes as the specification does', () => {
    expect(encodeHeader('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80');
    expect(encodeHeader('"quoted" 100%')).toBe('%22quoted%22%20100%25');
    expect(encodeHeader("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~")).toBe("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~");
    expect(encodeHeader('a\r\nNats-Msg-Id: b\u0000\u007f')).toBe('a%0D%0ANats-Msg-Id:%20b%00%7F');
  });

  it('is undone by decodeHeader', () => {
    for (const text of ['', ' ', 'ü', '%41', '"', '日本語', '\ud83d\ude00', '\n'])
      expect(decodeHeader(encodeHeader(text))).toBe(text);
    expect(() => decodeHeader('%E2%82')).toThrow('"%E2%82" is not percent-encoded UTF-8');
  });
});

describe('eventFromMessage', () => {
  it('reads what headersFromEvent and encodeData wrote', () => {
    const data = encodeData(event);
    const written = { subject: event.type, headers: headersFromEvent(event), data, timestamp: '' };
    expect(eventFromMessage(written)).toEqual(event);
  });

  it('takes any kind of JSON, and JSON where nothing is said', () => {
    for (const type of ['application/json; charset=utf-8', 'application/vnd.crucible+json', undefined])
      expect(eventFromMessage(message({ 'ce-datacontenttype': type }))).toEqual(event);
  });

  it('says why a message carries no event', () => {
    const body = 'hello';
    for (const [wrong, problem] of [
      [message({ 'ce-specversion': undefined }, body), 'no CloudEvent of specversion 1.0'],
      [message({ 'ce-specversion': '0.3' }), 'no CloudEvent of specversion 1.0'],
      [message({ 'ce-datacontenttype': 'text/xml' }), 'datacontenttype "text/xml" is not JSON'],
      [
        message({ 'ce-source': undefined }),
        'crucible.job.progress: source: Invalid input: expected string, received undefined',
      ],
      [message({ 'ce-time': 'noon' }), 'crucible.job.progress: time: must be a time as RFC 3339 writes it'],
      [message({ 'ce-id': '%zz' }), '"%zz" is not percent-encoded UTF-8'],
      [message({}, '{"jobId":'), 'data is not JSON: Unexpected end of JSON input'],
      [message({}, '{}'), 'crucible.job.progress: data.jobId: Invalid input: expected string, received undefined'],
      [message({ 'Content-Type': 'application/cloudevents+json' }, 'null'), 'no CloudEvent of specversion 1.0'],
    ] as const)
      expect(eventFromMessage(wrong)).toEqual({ problem: `unreadable: ${problem}`, raw: expect.any(String) as string });
  });

  it('keeps all of such a message as text', () => {
    const headers = createHeaders();
    headers.append('x', '1');
    headers.append('x', '2');
    expect(eventFromMessage({ subject: 's', headers, data: Buffer.from([0x68, 0xff]), timestamp: '' })).toMatchObject({
      raw: '{"subject":"s","headers":{"x":"1, 2"},"body":"h\ufffd"}',
    });
    expect(eventFromMessage({ subject: 's', data: new Uint8Array(), timestamp: '' })).toMatchObject({
      raw: '{"subject":"s","headers":{},"body":""}',
    });
  });
});

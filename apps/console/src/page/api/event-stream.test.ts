import { expect, test } from 'vitest';
import { EventStreamParser, eventsOf, mostEventCharacters, type ServerEvent } from './event-stream.ts';

/** The example of the standard's section 9.2, and what it says of it. */
const stream =
  '\ufeff: test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\r\n\r\nevent: add\rdata: a\rdata\rdata:b\r\rdata: unfinished';

const events: ServerEvent[] = [
  { event: 'message', data: 'first event', id: '1' },
  { event: 'message', data: 'second event', id: '' },
  { event: 'message', data: ' third event', id: '' },
  { event: 'add', data: 'a\n\nb', id: '' },
];

test('events are read as the standard says', () => {
  expect(new EventStreamParser().push(stream)).toEqual(events);
});

test('where a stream is cut changes nothing', () => {
  for (let size = 1; size < 9; size++) {
    const parser = new EventStreamParser();
    const found: ServerEvent[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...parser.push(stream.slice(at, at + size)));
    expect(found).toEqual(events);
  }
});

test('an empty piece between a carriage return and its line feed changes nothing', () => {
  const parser = new EventStreamParser();
  const found = ['data: a\r', '', '\n\r', '\n'].flatMap((piece) => parser.push(piece));
  expect(found).toEqual([{ event: 'message', data: 'a', id: '' }]);
});

test('a character whose bytes come apart is one character', async () => {
  const bytes = new TextEncoder().encode('data: größer 🔥\n\n');
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const found: ServerEvent[] = [];
  for await (const event of eventsOf(new Response(body))) found.push(event);
  expect(found).toEqual([{ event: 'message', data: 'größer 🔥', id: '' }]);
});

test('a line of megabytes comes through whole, and one without end is refused', () => {
  const parser = new EventStreamParser();
  const piece = 'x'.repeat(1024 * 1024);
  expect(parser.push('data: ')).toEqual([]);
  for (let i = 0; i < 5; i++) expect(parser.push(piece)).toEqual([]);
  const [event] = parser.push('\n\n');
  expect(event!.data.length).toBe(5 * piece.length);
  expect(() => {
    for (let i = 0; i <= mostEventCharacters / piece.length; i++) parser.push(piece);
  }).toThrow('more than 67108864 characters');
});

import { expect, it } from 'vitest';
import { serverSentEvents } from './server-sent-events.ts';

async function read(text: string, size: number): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.slice(i * size, (i + 1) * size),
  );
  const events: string[] = [];
  for await (const event of serverSentEvents(
    (async function* () {
      await Promise.resolve();
      yield* chunks;
    })(),
  ))
    events.push(event);
  return events;
}

it.each<[string, string, string[]]>([
  ['lines that end in LF', 'data: a\n\ndata: b\n\n', ['a', 'b']],
  ['lines that end in CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
  ['lines that end in CR', 'data: a\r\rdata: b\r\r', ['a', 'b']],
  ['data of several lines', 'data: a\ndata:  b\n\n', ['a\n b']],
  ['no space behind the colon', 'data:{"x":1}\n\n', ['{"x":1}']],
  ['comments and other fields', ': ping\n\nevent: x\nid: 1\ndata: a\nretry: 5\n\n', ['a']],
  ['no empty line at the end', 'data: a\n\ndata: [DONE]', ['a', '[DONE]']],
  ['characters of several bytes', 'data: Zürich 😀\n\n', ['Zürich 😀']],
  ['nothing', '', []],
])('%s, in pieces of any size', async (_what, text, events) => {
  for (const size of [1, 2, 3, 5, 1000]) expect(await read(text, size)).toEqual(events);
});

/** The data of server-sent events (WHATWG HTML, section 9.2), as far as APIs of models use them. */
import { CrucibleError } from '@crucible/foundation';

/** A longer event is no answer of a model. */
const mostCharacters = 16 * 1024 * 1024;

/** One item for every event that has data; lines may end in CR, LF or both, and come in any pieces. */
export async function* serverSentEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be the first half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    if (rest.length > mostCharacters)
      throw new CrucibleError('resource-exhausted', 'an event of the stream is too large');
    for (const line of lines) {
      if (line === '' && data.length > 0) {
        yield data.join('\n');
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
  }
  // Some servers forget the empty line behind the last event.
  for (const line of (rest + decoder.decode()).split(/\r\n|\n|\r/))
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
  if (data.length > 0) yield data.join('\n');
}

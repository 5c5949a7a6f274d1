/** Server-sent events as the HTML standard writes them, in whatever pieces they come. */

export interface ServerEvent {
  /** `message` where the server names none. */
  readonly event: string;
  readonly data: string;
  /** The last id that was said. */
  readonly id: string;
}

/** Characters of one event; a server that goes on without end is left. */
export const mostEventCharacters = 64 * 1024 * 1024;

export class EventStreamParser {
  /** Pieces of a line that has not ended: long lines come in many, and are put together once. */
  #pieces: string[] = [];
  #characters = 0;
  #afterReturn = false;
  #atStart = true;
  #event = '';
  #data: string[] = [];
  #id = '';

  /** The events that end in this text. */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let from = 0;
    if (this.#atStart && text !== '') {
      this.#atStart = false;
      if (text.startsWith('\ufeff')) from = 1;
    }
    if (this.#afterReturn && text !== '') {
      this.#afterReturn = false;
      if (text.charCodeAt(from) === 10) from++;
    }
    for (const end of text.matchAll(/\r\n|\n|\r/g)) {
      if (end.index < from) continue;
      const event = this.#line(this.#whole(text.slice(from, end.index)));
      if (event) events.push(event);
      from = end.index + end[0].length;
      // Its line feed may be in the next piece.
      if (end[0] === '\r' && from === text.length) this.#afterReturn = true;
    }
    if (from < text.length) this.#keep(text.slice(from));
    return events;
  }

  #keep(piece: string): void {
    this.#pieces.push(piece);
    this.#count(piece.length);
  }

  #count(characters: number): void {
    this.#characters += characters;
    if (this.#characters > mostEventCharacters)
      throw new Error(`The server sent an event of more than ${mostEventCharacters} characters.`);
  }

  #whole(end: string): string {
    if (this.#pieces.length === 0) return end;
    const begun = this.#pieces.join('');
    this.#pieces = [];
    this.#characters -= begun.length;
    return begun + end;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = { event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n'), id: this.#id };
      const isSome = this.#data.length > 0;
      this.#event = '';
      this.#data = [];
      this.#characters = 0;
      return isSome ? event : undefined;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    if (name === 'data') {
      this.#data.push(value);
      this.#count(value.length);
    } else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }
}

/** Leaving the loop early ends the request. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent, void, undefined> {
  if (!response.body) return;
  const parser = new EventStreamParser();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

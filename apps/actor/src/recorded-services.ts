/**
 * What a run uses, recorded: an answer of the model, a search and a program that had ended are in the journal, and are not
 * done again when the run is resumed. They are found by what was asked, and how often it had been asked before, as samples
 * that are drawn side by side come in any order.
 */
import { CrucibleError } from '@crucible/foundation';
import type { ChatEvent, ChatModel, ChatRequest, CodeRunner, Retriever } from '@crucible/prompting';
import { digestOf } from './canonical-json.ts';
import type { Entry, Outcome } from './journal.ts';

type RecordedKind = 'answer' | 'search' | 'document' | 'program' | 'tool';
type RecordedEntry<K extends RecordedKind> = Extract<Entry, { readonly kind: K }>;

/** The results that are there, and the place for new ones. */
export class Recording {
  readonly #known = new Map<string, Entry>();
  readonly #append: (entry: Entry) => void;
  readonly #asked = new Map<string, number>();

  constructor(entries: readonly Entry[], append: (entry: Entry) => void) {
    this.#append = append;
    for (const entry of entries) if ('key' in entry) this.#known.set(`${entry.kind} ${entry.key}`, entry);
  }

  /** Of this very call: the same question asked again is another call. */
  keyOf(...question: unknown[]): string {
    const digest = digestOf(question);
    const count = (this.#asked.get(digest) ?? 0) + 1;
    this.#asked.set(digest, count);
    return count === 1 ? digest : `${digest}.${count}`;
  }

  find<K extends RecordedKind>(kind: K, key: string): RecordedEntry<K> | undefined {
    return this.#known.get(`${kind} ${key}`) as RecordedEntry<K> | undefined;
  }

  add(entry: RecordedEntry<RecordedKind>): void {
    this.#append(entry);
  }

  /** The outcome that is there, or that of the work; but that it was broken off is none. */
  async outcome<T>(
    kind: Exclude<RecordedKind, 'answer'>,
    key: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const known = this.find(kind, key);
    if (known) return valueOf(known.outcome as Outcome<T>);
    let outcome: Outcome<T>;
    try {
      outcome = { value: await work() };
    } catch (reason) {
      if (signal.aborted) throw reason;
      const { code, message } = CrucibleError.from(reason);
      outcome = { error: { code, message } };
    }
    this.add({ kind, key, outcome } as RecordedEntry<typeof kind>);
    return valueOf(outcome);
  }
}

function valueOf<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value;
  throw new CrucibleError(outcome.error.code, outcome.error.message);
}

export function recordedModel(model: ChatModel, recording: Recording): ChatModel {
  return { ...model, generate: (request) => generate(model, recording, request) };
}

async function* generate(
  model: ChatModel,
  recording: Recording,
  request: ChatRequest,
): AsyncGenerator<ChatEvent, void, undefined> {
  const { signal, ...question } = request;
  const key = recording.keyOf('model', question);
  const known = recording.find('answer', key);
  if (known) {
    yield* known.events;
    return;
  }
  const heard = new Heard();
  const events = model.generate(request)[Symbol.asyncIterator]();
  let hasFailed = false;
  try {
    for (let next = await events.next(); next.done !== true; next = await events.next()) {
      heard.add(next.value);
      yield next.value;
    }
  } catch (reason) {
    hasFailed = true;
    throw reason;
  } finally {
    // Who leaves early has enough: a stop string was met. Who is broken off has not.
    if (!hasFailed && !signal.aborted) recording.add({ kind: 'answer', key, events: heard.events });
    await events.return?.();
  }
}

/** What a model has said, the pieces of each answer put together. */
class Heard {
  readonly #texts = new Map<number, string>();
  readonly #rest: ChatEvent[] = [];

  add(event: ChatEvent): void {
    if (event.kind === 'text') this.#texts.set(event.sample, (this.#texts.get(event.sample) ?? '') + event.text);
    else this.#rest.push(event);
  }

  get events(): ChatEvent[] {
    return [...Array.from(this.#texts, ([sample, text]) => ({ kind: 'text' as const, sample, text })), ...this.#rest];
  }
}

export function recordedRetriever(retriever: Retriever, recording: Recording): Retriever {
  return {
    search: (query, { signal, ...options }) =>
      recording.outcome('search', recording.keyOf('search', query, options), signal, () =>
        retriever.search(query, { ...options, signal }),
      ),
    documentOf: async (wanted, { signal }) => {
      const found = await recording.outcome('document', recording.keyOf('document', wanted), signal, async () => {
        // JSON has no undefined.
        return (await retriever.documentOf(wanted, { signal })) ?? null;
      });
      return found ?? undefined;
    },
  };
}

export function recordedRunner(code: CodeRunner, recording: Recording): CodeRunner {
  return {
    run: (program, { timeoutMs, signal }) =>
      recording.outcome('program', recording.keyOf('program', program, timeoutMs), signal, () =>
        code.run(program, { timeoutMs, signal }),
      ),
  };
}

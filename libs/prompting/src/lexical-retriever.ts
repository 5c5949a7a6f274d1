/** A retriever over documents in memory, by words: for small collections, and where no service is. */
import { invalidInput } from '@crucible/foundation';
import { LexicalIndex } from './lexical-index.ts';
import type { Passage, Retriever } from './retriever.ts';
import { sentencesOf } from './sentences.ts';

export interface TextDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface LexicalRetrieverOptions {
  /** Passages are whole sentences, of about so many characters together. Default 500. */
  readonly passageCharacters?: number;
}

export function createLexicalRetriever(
  documents: readonly TextDocument[],
  { passageCharacters = 500 }: LexicalRetrieverOptions = {},
): Retriever {
  const ids = new Set<string>();
  for (const { id } of documents) {
    if (ids.has(id)) throw invalidInput(`documents: two have the id ${id}`, { at: 'documents' });
    ids.add(id);
  }
  const passages = documents.flatMap((document) => passagesOf(document, passageCharacters));
  // A title says what its passages are about.
  const index = new LexicalIndex(passages.map(({ document, text }) => `${document.title} ${text}`));
  return {
    search: (query, { limit, documents: among, title, signal }) => {
      signal.throwIfAborted();
      const allowed = among && new Set(among);
      const isWanted = ({ document }: Omit<Passage, 'score'>): boolean =>
        (allowed?.has(document.id) ?? true) && (title === undefined || document.title === title);
      const hits = index.search(query, limit, (i) => isWanted(passages[i]!));
      return Promise.resolve(hits.map(({ index: i, score }) => ({ ...passages[i]!, score })));
    },
  };
}

function passagesOf({ id, title, text }: TextDocument, mostCharacters: number): Omit<Passage, 'score'>[] {
  const spans: { start: number; end: number }[] = [];
  for (const { start, end } of sentencesOf(text)) {
    const last = spans.at(-1);
    if (last !== undefined && end - last.start <= mostCharacters) last.end = end;
    else spans.push({ start, end });
  }
  return spans.map(({ start, end }) => ({ document: { id, title }, text: text.slice(start, end), start, end }));
}

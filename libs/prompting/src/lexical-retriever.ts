/** A retriever over documents in memory, by words: for small collections, and where no service is. */
import { invalidInput } from '@crucible/foundation';
import { LexicalIndex } from './lexical-index.ts';
import type { Passage, Retriever, TextDocument } from './retriever.ts';
import { sentencesOf } from './sentences.ts';

export interface LexicalRetrieverOptions {
  /** Passages are whole sentences, of about so many characters together. Default 500. */
  readonly passageCharacters?: number;
}

export function createLexicalRetriever(
  documents: readonly TextDocument[],
  { passageCharacters = 500 }: LexicalRetrieverOptions = {},
): Retriever {
  const byId = new Map<string, TextDocument>();
  const byTitle = new Map<string, TextDocument>();
  for (const document of documents) {
    const { id, title } = document;
    if (byId.has(id)) throw invalidInput(`documents: two have the id ${id}`, { at: 'documents' });
    byId.set(id, document);
    if (!byTitle.has(title)) byTitle.set(title, document);
  }
  const passages = documents.flatMap((document) => passagesOf(document, passageCharacters));
  // A title says what its passages are about.
  const index = new LexicalIndex(passages.map(({ document, text }) => `${document.title} ${text}`));
  return {
    search: (query, { limit, documents: among, signal }) => {
      signal.throwIfAborted();
      const allowed = among && new Set(among);
      const hits = index.search(query, limit, (i) => allowed?.has(passages[i]!.document.id) ?? true);
      return Promise.resolve(hits.map(({ index: i, score }) => ({ ...passages[i]!, score })));
    },
    documentOf: (wanted, { signal }) => {
      signal.throwIfAborted();
      return Promise.resolve('id' in wanted ? byId.get(wanted.id) : byTitle.get(wanted.title));
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

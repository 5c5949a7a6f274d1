/**
 * The documents of one owner: kept in a store, searched in memory. What a commit has brought is found after it and not
 * before; of a document there is the old state or the new one, never parts of both.
 *
 * Several processes may open the same collection: what others commit is taken in by `refresh`, which searches call now and
 * then. Memory holds the texts, the postings and the vectors.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Connection } from '@lancedb/lancedb';
import { CrucibleError, invalidInput, throwIfCancelled } from '@crucible/foundation';
import type { Chunk } from './chunk/chunk-document.ts';
import type { Embedder, TextKind } from './embed/embedder.ts';
import type { Filter } from './search/filter.ts';
import type { Metadata } from './parse/parsed-document.ts';
import type { Reranker } from './rerank/reranker.ts';
import { isPair, queryTerms, termsOf } from './search/analyze.ts';
import { defaultFitModel, fitProbability } from './search/confidence.ts';
import { IdsByKey } from './ids-by-key.ts';
import { DenseIndex, unit } from './search/dense-index.ts';
import { type Candidate, fuse, type Fused, fuseReranked } from './search/fusion.ts';
import { hasPhrase, highlights, type Span } from './search/highlights.ts';
import { LexicalIndex } from './search/lexical-index.ts';
import { parseQuery, type Query, type SearchRequest } from './search/query.ts';
import {
  type Committed,
  type DocumentRecord,
  type ModelRole,
  PassageStore,
  type StoredDocument,
  type StoredPassage,
  type UpkeepOptions,
} from './store/passage-store.ts';

/** A document that is to be in the collection. */
export interface IncomingDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly metadata: Metadata;
  readonly chunks: readonly Chunk[];
}

/** Something that came in, with all of its documents: those that it had before and has no more are taken out. */
export interface IncomingSource {
  readonly name: string;
  /** SHA-256 of the bytes and of what else decides what becomes of them. */
  readonly digest: string;
  readonly documents: readonly IncomingDocument[];
}

export interface IngestResult {
  readonly documents: readonly DocumentRecord[];
  readonly passages: number;
  /** Ids of documents that are not in their source any more. */
  readonly removed: readonly string[];
}

/** A passage, and where it is. */
export interface Passage {
  readonly record: DocumentRecord;
  readonly ordinal: number;
  /** UTF-16 code units of the document's extracted text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly heading: string;
  /** 0: the format has none. */
  readonly page: number;
}

export interface Hit extends Passage {
  /** 0 to 1 within one answer; of no meaning between answers. */
  readonly score: number;
  readonly lexicalScore: number;
  readonly similarity: number;
  /** What the re-ranker said; undefined: it was not asked. */
  readonly rerankScore: number | undefined;
  /** Of the query's words, within `text`. */
  readonly highlights: readonly Span[];
  readonly before: readonly Passage[];
  readonly after: readonly Passage[];
  /** Documents with the very same passage. */
  readonly alsoIn: readonly string[];
}

export interface SearchResult {
  readonly hits: readonly Hit[];
  /** How likely it is that the best passage fits the query, 0 to 1. */
  readonly confidence: number;
  /** Of the collection that was searched. */
  readonly version: number;
}

export interface CollectionOptions extends UpkeepOptions {
  /** Milliseconds for which what other processes commit may stay unseen. Default: 1000. */
  readonly refreshInterval?: number;
  /** Makes the embedder from what is kept with the documents. */
  readonly loadEmbedder?: (bytes: Uint8Array) => Promise<Embedder>;
  readonly loadReranker?: (bytes: Uint8Array) => Promise<Reranker>;
}

export interface CollectionInfo {
  readonly documents: number;
  readonly passages: number;
  readonly version: number;
  /** Empty: there is none. */
  readonly embedder: string;
  /** Passages whose vectors are those of the embedder. */
  readonly embedded: number;
  /** Of its vectors; 0: there is none. */
  readonly dimensions: number;
  /** The fewest of them that are vectors by themselves. */
  readonly leastDimensions: number;
  /** Empty: there is none. */
  readonly reranker: string;
  /** Of the re-ranker where a search does not say; 0: it is not used. */
  readonly rerankWeight: number;
  /** Why a model that is kept with the documents cannot be used; empty: all can. */
  readonly problem: string;
}

/** A document in memory: its vectors are in the index. */
type KnownDocument = Omit<StoredDocument, 'passages'> & { readonly passages: readonly Omit<StoredPassage, 'vector'>[] };

interface Entry {
  readonly document: KnownDocument;
  readonly slots: number[];
}

/** Candidates that a leg gives at least. */
const leastCandidates = 100;
/** Milliseconds between commits of new vectors, about: what is lost when the work is broken off. */
const embeddingTime = 3000;
/** Documents of one commit. */
const mostPassagesPerCommit = 4000;
const mostCharactersPerCommit = 16 * 1024 * 1024;

export class Collection {
  readonly name: string;
  readonly #store: PassageStore;
  readonly #options: CollectionOptions;
  readonly #lexical = new LexicalIndex();
  #dense: DenseIndex | undefined;
  #embedder: Embedder | undefined;
  #reranker: Reranker | undefined;
  /** Of the models that are kept with the documents. */
  readonly #revisions = new Map<ModelRole, string>();
  /** Those that could not be loaded: a folder that is not there any more. */
  readonly #problems = new Map<ModelRole, CrucibleError>();
  readonly #entries = new Map<string, Entry>();
  readonly #sources = new IdsByKey();
  readonly #titles = new IdsByKey();
  readonly #slotEntries: (Entry | undefined)[] = [];
  readonly #slotOrdinals: number[] = [];
  #free: number[] = [];
  #dead: number[] = [];
  #version = 0;
  #passages = 0;
  #lastLook = -Infinity;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(name: string, store: PassageStore, options: CollectionOptions) {
    this.name = name;
    this.#store = store;
    this.#options = options;
  }

  /** Undefined when there is none of that name and `create` is not said. */
  static async open(
    connection: Connection,
    name: string,
    options: CollectionOptions & { readonly create?: boolean } = {},
  ): Promise<Collection | undefined> {
    const store = await PassageStore.open(connection, name, options);
    if (!store) return undefined;
    const collection = new Collection(name, store, options);
    await collection.refresh();
    return collection;
  }

  get info(): CollectionInfo {
    const version = this.#embedder?.version ?? '';
    let embedded = 0;
    if (version !== '')
      for (const { document } of this.#entries.values())
        if (document.embedder === version) embedded += document.passages.length;
    return {
      documents: this.#entries.size,
      passages: this.#passages,
      version: this.#version,
      embedder: version,
      embedded,
      dimensions: this.#embedder?.dimensions ?? 0,
      leastDimensions: this.#embedder?.coarse ?? 0,
      reranker: this.#reranker?.version ?? '',
      rerankWeight: this.#reranker?.fit?.weight ?? 0,
      problem: [...this.#problems.values()].map(({ message }) => message).join('; '),
    };
  }

  get reranker(): Reranker | undefined {
    return this.#reranker;
  }

  get embedder(): Embedder | undefined {
    return this.#embedder;
  }

  /** Whether exactly these bytes are in the collection, with all of their documents. */
  has(source: string, digest: string): boolean {
    const ids = this.documentsOf(source);
    if (ids.length === 0) return false;
    const records = ids.map((id) => this.#entries.get(id)!.document.record);
    return records.every((record) => record.sourceDigest === digest && record.sourceDocuments === records.length);
  }

  /** Puts sources in; small ones share a commit. Each document is put in whole or not at all. */
  async ingest(sources: readonly IncomingSource[], signal?: AbortSignal): Promise<IngestResult[]> {
    const pending: { readonly document: IncomingDocument; readonly source: IncomingSource }[] = sources.flatMap(
      (source) => source.documents.map((document) => ({ document, source })),
    );
    const ingestedAt = new Date().toISOString();
    for (let from = 0; from < pending.length;) {
      let to = from;
      for (let passages = 0, characters = 0; to < pending.length; to++) {
        passages += pending[to]!.document.chunks.length;
        characters += pending[to]!.document.text.length;
        if (to > from && (passages > mostPassagesPerCommit || characters > mostCharactersPerCommit)) break;
      }
      throwIfCancelled(signal, 'the ingest');
      await this.#put(
        pending.slice(from, to).map(({ document: { chunks, ...document }, source }) => ({
          record: {
            id: document.id,
            source: source.name,
            sourceDigest: source.digest,
            sourceDocuments: source.documents.length,
            title: document.title,
            metadata: document.metadata,
            digest: createHash('sha256').update(document.text).digest('hex'),
            ingestedAt,
          },
          text: document.text,
          passages: chunks,
        })),
      );
      from = to;
    }
    const results = sources.map(({ name, documents }) => {
      const ids = new Set(documents.map(({ id }) => id));
      return {
        documents: documents.flatMap(({ id }) => this.#entries.get(id)?.document.record ?? []),
        passages: documents.reduce((sum, { chunks }) => sum + chunks.length, 0),
        removed: this.documentsOf(name).filter((id) => !ids.has(id)),
      };
    });
    await this.remove(results.flatMap(({ removed }) => removed));
    return results;
  }

  /** Takes documents out; returns the ids of those that were there. */
  async remove(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    // Others may have put them in.
    await this.refresh();
    const known = ids.filter((id) => this.#entries.has(id));
    if (known.length > 0) {
      await this.#write(async () => {
        this.#advance(await this.#store.commit({ upserts: [], deletions: known }));
        for (const id of known) this.#forget(id);
      });
    }
    return known;
  }

  /** Ids of the documents that came in a source. */
  documentsOf(source: string): readonly string[] {
    return this.#sources.get(source);
  }

  /** Names of the sources that begin so. */
  sources(prefix = ''): string[] {
    return [...this.#sources.keys()].filter((name) => name.startsWith(prefix));
  }

  /** The id of the document of exactly this title that the filter lets through; of several, the first. */
  idOf(title: string, filter: Filter = () => true): string | undefined {
    const ids = this.#titles.get(title).filter((id) => filter(this.#entries.get(id)!.document.record));
    return ids.reduce<string | undefined>((first, id) => (first === undefined || id < first ? id : first), undefined);
  }

  get(id: string): { readonly record: DocumentRecord; readonly text: string; readonly passages: number } {
    const entry = this.#entries.get(id);
    if (!entry) throw new CrucibleError('not-found', `document ${id} does not exist in ${this.name}`, { at: 'id' });
    const { record, text, passages } = entry.document;
    return { record, text, passages: passages.length };
  }

  /** Records of the documents, by id, after one. */
  list(after = '', limit = 100): DocumentRecord[] {
    return [...this.#entries.keys()]
      .filter((id) => id > after)
      .sort()
      .slice(0, limit)
      .map((id) => this.#entries.get(id)!.document.record);
  }

  /** Every passage, for training and tests. */
  *passages(): Generator<Passage, void, undefined> {
    for (const entry of this.#entries.values())
      for (const ordinal of entry.document.passages.keys()) yield passageOf(entry, ordinal);
  }

  async search(request: SearchRequest): Promise<SearchResult> {
    const query = parseQuery(request);
    await this.#refreshNowAndThen();
    const vector = await this.#embedQuery(query);
    const terms = queryTerms(query.text);
    const allowed = this.#allowed(query);
    const depth = Math.max(leastCandidates, 4 * query.limit);
    const ranked = this.#rank(query, terms, vector, depth, allowed);
    // Taken before anything is waited for: the slots may be another document's after it.
    const places = new Map(
      ranked.map(({ slot }) => [slot, { entry: this.#slotEntries[slot]!, ordinal: this.#slotOrdinals[slot]! }]),
    );
    const version = this.#version;
    const fused = await this.#reranked(query, ranked);
    const hits: Hit[] = [];
    const byText = new Map<string, string[]>();
    for (const each of fused) {
      const { entry, ordinal } = places.get(each.slot)!;
      const passage = passageOf(entry, ordinal);
      if (!query.phrases.every((phrase) => hasPhrase(passage.text, phrase))) continue;
      const same = byText.get(passage.text);
      if (same) {
        if (
          !same.includes(passage.record.id) &&
          hits.find(({ text }) => text === passage.text)?.record.id !== passage.record.id
        )
          same.push(passage.record.id);
        continue;
      }
      if (hits.length === query.limit) continue;
      const alsoIn: string[] = [];
      byText.set(passage.text, alsoIn);
      hits.push({
        ...passage,
        score: each.score,
        lexicalScore: each.lexical,
        similarity: each.dense,
        rerankScore: each.reranked,
        highlights: highlights(passage.text, terms),
        before: neighboursOf(entry, passage.ordinal - query.neighbours, passage.ordinal),
        after: neighboursOf(entry, passage.ordinal + 1, passage.ordinal + 1 + query.neighbours),
        alsoIn,
      });
    }
    return { hits, confidence: this.#confidence(terms, hits[0]), version };
  }

  /** Vectors of texts, as the embedder of the collection makes them: of length 1, or zeros. `dimensions`: of the first ones. */
  async embed(
    texts: readonly string[],
    kind: TextKind,
    dimensions?: number,
  ): Promise<{ readonly vectors: Float32Array[]; readonly embedder: string; readonly tokens: number }> {
    await this.#refreshNowAndThen();
    const problem = this.#problems.get('embedder');
    if (problem) throw problem;
    const embedder = this.#embedder;
    if (!embedder)
      throw new CrucibleError('failed-precondition', `${this.name} has no embedder yet; give it one, or train one`, {
        at: 'collection',
      });
    const { version, coarse, dimensions: all } = embedder;
    if (dimensions !== undefined && !(dimensions >= coarse && dimensions <= all))
      throw invalidInput(
        `dimensions: ${dimensions} is given; ${coarse === all ? all : `a whole number from ${coarse} to ${all}`} is allowed`,
        { at: 'dimensions' },
      );
    const whole = await embedder.embed(texts, kind);
    return {
      vectors: dimensions === undefined ? whole : whole.map((vector) => unit(vector.subarray(0, dimensions))),
      embedder: version,
      tokens: texts.reduce((sum, text) => sum + embedder.countTokens(text, kind), 0),
    };
  }

  /** What the legs say of the best passages, before they become one score: for fitting weights. */
  async candidates(text: string, depth: number, hidden?: (slot: number) => boolean): Promise<Candidate[]> {
    const query = parseQuery({ query: text });
    const vector = await this.#embedQuery(query);
    let allowed: Uint8Array | undefined;
    if (hidden) {
      allowed = new Uint8Array(this.#slotEntries.length);
      for (let slot = 0; slot < allowed.length; slot++) if (this.#slotEntries[slot] && !hidden(slot)) allowed[slot] = 1;
    }
    return this.#candidates(queryTerms(text), vector, depth, allowed);
  }

  /** Where a passage is in the index, for judging `candidates`. */
  slotOf(id: string, ordinal: number): number | undefined {
    return this.#entries.get(id)?.slots[ordinal];
  }

  /** The passage of a slot. */
  passageAt(slot: number): Passage {
    return passageOf(this.#slotEntries[slot]!, this.#slotOrdinals[slot]!);
  }

  coverage(query: string, text: string): number {
    return this.#coverage(queryTerms(query), text);
  }

  /** Keeps an embedder with the documents. Vectors are made by `embedMissing`; searches go on with what is there. */
  async setEmbedder(embedder: Embedder): Promise<void> {
    await this.#write(async () => {
      this.#revisions.set('embedder', await this.#store.writeModel('embedder', embedder.version, embedder.serialize()));
      await this.#useEmbedder(embedder);
    });
  }

  /** Keeps a re-ranker with the documents; undefined takes it away. */
  async setReranker(reranker: Reranker | undefined): Promise<void> {
    await this.#write(async () => {
      if (reranker)
        this.#revisions.set(
          'reranker',
          await this.#store.writeModel('reranker', reranker.version, reranker.serialize()),
        );
      else {
        await this.#store.removeModel('reranker');
        this.#revisions.delete('reranker');
      }
      await this.#useReranker(reranker);
    });
  }

  /** What the re-ranker says of the passages in these slots. */
  rerankScores(query: string, slots: readonly number[]): Promise<number[]> {
    const texts = slots.map((slot) => {
      const { record, heading, text } = this.passageAt(slot);
      return [record.title, heading, text].filter((part) => part !== '').join('\n');
    });
    return this.#reranker!.score(query, texts);
  }

  /**
   * Makes the vectors that are missing or another embedder's, some documents a commit: it may be broken off and goes on where
   * it was. Returns whether all are there.
   */
  async embedMissing(
    options: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void } = {},
  ): Promise<boolean> {
    let size = 256;
    for (;;) {
      const embedder = this.#embedder;
      if (!embedder) return true;
      const begun = performance.now();
      const stale = [...this.#entries.values()].filter(({ document }) => document.embedder !== embedder.version);
      if (stale.length === 0) return true;
      if (options.signal?.aborted) return false;
      const batch: KnownDocument[] = [];
      for (let count = 0; batch.length < stale.length && count < size;) {
        const { document } = stale[batch.length]!;
        batch.push(document);
        count += document.passages.length;
      }
      const still = new Map(batch.map(({ record, revision }) => [record.id, revision]));
      await this.#put(
        batch.map(({ record, text, passages }) => ({ record, text, passages })),
        // Replaced by its owner meanwhile: what is newer stays.
        ({ id }) => this.#entries.get(id)?.document.revision === still.get(id),
      );
      const pace = embeddingTime / (performance.now() - begun);
      size = Math.round(Math.min(mostPassagesPerCommit, Math.max(16, size * Math.min(4, pace))));
      const { embedded, passages } = this.info;
      options.onProgress?.(embedded, passages);
    }
  }

  /** Takes in what other processes have committed. */
  async refresh(): Promise<void> {
    await this.#write(async () => {
      const version = await this.#store.version();
      this.#lastLook = performance.now();
      if (version === this.#version) return;
      await this.#loadModels();
      const revisions = await this.#store.revisions();
      const gone = [...this.#entries.keys()].filter((id) => !revisions.has(id));
      const changed = [...revisions].filter(([id, revision]) => this.#entries.get(id)?.document.revision !== revision);
      const documents = await this.#store.read(
        changed.length === revisions.size ? undefined : changed.map(([id]) => id),
      );
      const prepared = await this.#analysed(documents);
      for (const id of gone) this.#forget(id);
      for (const { document, terms } of prepared) this.#remember(document, terms);
      this.#version = version;
    });
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#embedder?.dispose();
    await this.#reranker?.dispose();
    this.#store.close();
  }

  async #put(
    documents: readonly {
      readonly record: DocumentRecord;
      readonly text: string;
      readonly passages: readonly Omit<StoredPassage, 'vector'>[];
    }[],
    isWanted: (record: DocumentRecord) => boolean = () => true,
  ): Promise<void> {
    const embedder = this.#embedder;
    const vectors: Float32Array[] = embedder
      ? await embedder.embed(
          documents.flatMap(({ record, text, passages }) =>
            passages.map((passage) => searchableText(record, passage, text)),
          ),
          'passage',
        )
      : [];
    let next = 0;
    const upserts = documents.map(({ passages, ...document }) => ({
      ...document,
      embedder: embedder?.version ?? '',
      passages: passages.map(({ start, end, heading, page }) => ({
        start,
        end,
        heading,
        page,
        vector: vectors[next++],
      })),
    }));
    await this.#write(async () => {
      const wanted = upserts.filter(({ record }) => isWanted(record));
      if (wanted.length === 0) return;
      const committed = await this.#store.commit({ upserts: wanted, deletions: [] });
      const prepared = await this.#analysed(committed.documents);
      for (const { document, terms } of prepared) this.#remember(document, terms);
      this.#advance(committed);
    });
  }

  /** After a commit of ours; where others came between, `refresh` finds what they did. */
  #advance({ previous, version }: Committed): void {
    if (previous === this.#version && version === previous + 1) this.#version = version;
  }

  /** One after the other, so that memory goes the way of the store. */
  async #write<T>(task: () => Promise<T>): Promise<T> {
    const own = this.#writing.then(task, task);
    this.#writing = own.catch(() => undefined);
    return own;
  }

  async #refreshNowAndThen(): Promise<void> {
    const { refreshInterval = 1000 } = this.#options;
    if (performance.now() - this.#lastLook < refreshInterval) return;
    this.#lastLook = performance.now();
    await this.refresh();
  }

  /** The terms of each passage; other work gets its turn in between. */
  async #analysed(
    documents: readonly StoredDocument[],
  ): Promise<{ readonly document: StoredDocument; readonly terms: readonly string[][] }[]> {
    const result: { document: StoredDocument; terms: string[][] }[] = [];
    let last = performance.now();
    for (const document of documents) {
      const { record, text, passages } = document;
      const terms: string[][] = [];
      for (const passage of passages) {
        terms.push(termsOf(searchableText(record, passage, text)));
        if (performance.now() - last > 10) {
          await nextTurn();
          last = performance.now();
        }
      }
      result.push({ document, terms });
    }
    return result;
  }

  #remember(document: StoredDocument, terms: readonly string[][]): void {
    const { id, source, title } = document.record;
    this.#forget(id);
    const passages = document.passages.map(({ start, end, heading, page }) => ({ start, end, heading, page }));
    const entry: Entry = { document: { ...document, passages }, slots: [] };
    document.passages.forEach((passage, ordinal) => {
      const slot = this.#free.pop() ?? this.#slotEntries.length;
      this.#slotEntries[slot] = entry;
      this.#slotOrdinals[slot] = ordinal;
      entry.slots.push(slot);
      this.#lexical.add(slot, terms[ordinal]!);
      if (passage.vector && document.embedder === this.#embedder?.version) this.#dense!.add(slot, passage.vector);
    });
    this.#passages += document.passages.length;
    this.#entries.set(id, entry);
    this.#sources.add(source, id);
    this.#titles.add(title, id);
  }

  #forget(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#passages -= entry.slots.length;
    for (const slot of entry.slots) {
      this.#lexical.remove(slot);
      this.#dense?.remove(slot);
      this.#slotEntries[slot] = undefined;
      this.#dead.push(slot);
    }
    const { source, title } = entry.document.record;
    this.#sources.remove(source, id);
    this.#titles.remove(title, id);
    if (!this.#lexical.isUntidy) return;
    this.#lexical.tidy();
    for (const slot of this.#dead) this.#free.push(slot);
    this.#dead = [];
  }

  /** Takes in the models that others have put to the documents. One that cannot be loaded is told when it is asked for. */
  async #loadModels(): Promise<void> {
    const { loadEmbedder, loadReranker } = this.#options;
    const kept = await this.#store.readModels();
    const load = async (role: ModelRole, use: (bytes: Uint8Array) => Promise<void>): Promise<void> => {
      const model = kept.get(role);
      if (!model || model.revision === this.#revisions.get(role)) return;
      this.#problems.delete(role);
      await use(model.bytes).catch((reason: unknown) => {
        const { message } = CrucibleError.from(reason);
        const what = `the ${role} of ${this.name} cannot be loaded, give it another: ${message}`;
        this.#problems.set(role, new CrucibleError('failed-precondition', what, { at: role, cause: reason }));
      });
      this.#revisions.set(role, model.revision);
    };
    if (loadEmbedder) await load('embedder', async (bytes) => this.#useEmbedder(await loadEmbedder(bytes)));
    if (loadReranker) await load('reranker', async (bytes) => this.#useReranker(await loadReranker(bytes)));
    if (!kept.has('reranker') && this.#revisions.delete('reranker')) await this.#useReranker(undefined);
  }

  async #useReranker(reranker: Reranker | undefined): Promise<void> {
    const previous = this.#reranker;
    this.#reranker = reranker;
    this.#problems.delete('reranker');
    if (previous !== reranker) await previous?.dispose();
  }

  async #useEmbedder(embedder: Embedder): Promise<void> {
    this.#problems.delete('embedder');
    const previous = this.#embedder;
    this.#embedder = embedder;
    if (previous?.version !== embedder.version) {
      this.#dense = new DenseIndex(embedder);
      // An embedder that was here before has left its vectors in the store.
      const ids = [...this.#entries].flatMap(([id, { document }]) =>
        document.embedder === embedder.version ? [id] : [],
      );
      for (const { record, revision, passages } of await this.#store.read(ids)) {
        const entry = this.#entries.get(record.id);
        if (entry?.document.revision !== revision) continue;
        passages.forEach(({ vector }, ordinal) => vector && this.#dense!.add(entry.slots[ordinal]!, vector));
      }
    }
    if (previous !== embedder) await previous?.dispose();
  }

  async #embedQuery({ text, mode }: Query): Promise<Float32Array | undefined> {
    const problem = this.#problems.get('embedder');
    if (mode !== 'lexical' && problem) throw problem;
    if (mode === 'dense' && !this.#embedder) {
      throw new CrucibleError(
        'failed-precondition',
        `${this.name} has no embedder yet; train one, or search with the mode lexical or hybrid`,
        { at: 'mode' },
      );
    }
    if (mode === 'lexical' || !this.#embedder) return undefined;
    for (;;) {
      const embedder: Embedder = this.#embedder;
      const [vector] = await embedder.embed([text], 'query');
      // Another one may have come meanwhile, with vectors of other dimensions.
      if (embedder.version === this.#embedder.version) return vector!.some((value) => value !== 0) ? vector : undefined;
    }
  }

  #allowed({ filter }: Query): Uint8Array | undefined {
    if (!filter) return undefined;
    const allowed = new Uint8Array(this.#slotEntries.length);
    for (const { document, slots } of this.#entries.values())
      if (filter(document.record)) for (const slot of slots) allowed[slot] = 1;
    return allowed;
  }

  #rank(
    query: Query,
    terms: ReadonlyMap<string, number>,
    vector: Float32Array | undefined,
    depth: number,
    allowed: Uint8Array | undefined,
  ): Fused[] {
    if (query.mode === 'dense') {
      const found = vector ? this.#dense!.search(vector, depth, allowed) : [];
      return found.map(({ slot, score }) => ({ slot, score: Math.max(0, score), lexical: 0, dense: score }));
    }
    const weight = vector ? (query.denseWeight ?? this.#embedder!.fit?.denseWeight ?? 0.2) : 0;
    return fuse(this.#candidates(terms, weight === 0 ? undefined : vector, depth, allowed), weight);
  }

  /** The best of a search in the order that the re-ranker gives them, where it is asked or has shown that it helps. */
  async #reranked(query: Query, fused: readonly Fused[]): Promise<readonly Fused[]> {
    const problem = this.#problems.get('reranker');
    if (query.rerank !== undefined && query.rerank > 0 && !this.#reranker) {
      const none = `${this.name} has no re-ranker; give it one, or search without`;
      throw problem ?? new CrucibleError('failed-precondition', none, { at: 'rerank' });
    }
    const fit = this.#reranker?.fit;
    const depth = query.rerank ?? (fit && fit.weight > 0 ? fit.depth : 0);
    if (!this.#reranker || depth === 0 || fused.length === 0) return fused;
    const slots = fused.slice(0, depth).map(({ slot }) => slot);
    const scores = await this.rerankScores(query.text, slots);
    // Whoever asks for a re-ranker that has not shown that it helps wants to see it.
    const weight = fit && fit.weight > 0 ? fit.weight : 1;
    return fuseReranked(fused, scores, weight);
  }

  /** The best of either leg, with the scores of both. */
  #candidates(
    terms: ReadonlyMap<string, number>,
    vector: Float32Array | undefined,
    depth: number,
    allowed: Uint8Array | undefined,
  ): Candidate[] {
    const near = vector ? this.#dense!.search(vector, depth, allowed) : [];
    const probes = new Map(near.map(({ slot }) => [slot, 0]));
    const found = this.#lexical.search(terms, depth, allowed, probes);
    const lexical = new Map(found.map(({ slot, score }) => [slot, score]));
    for (const [slot, score] of probes) lexical.set(slot, score);
    return [...lexical].map(([slot, score]) => ({
      slot,
      lexical: score,
      dense: vector ? this.#dense!.similarity(slot, vector) : 0,
    }));
  }

  #confidence(terms: ReadonlyMap<string, number>, best: Hit | undefined): number {
    if (!best) return 0;
    const signs = {
      coverage: this.#coverage(terms, `${best.record.title}\n${best.heading}\n${best.text}`),
      similarity: best.similarity,
    };
    return fitProbability(this.#embedder?.fit?.fitModel ?? defaultFitModel, signs);
  }

  #coverage(terms: ReadonlyMap<string, number>, text: string): number {
    const present = new Set(termsOf(text));
    let [all, covered] = [0, 0];
    for (const [term, count] of terms) {
      // Neighbours that are nowhere are no word that is missing.
      if (isPair(term) && this.#lexical.documentFrequency(term) === 0) continue;
      const weight = count * this.#lexical.inverseFrequency(term);
      all += weight;
      if (present.has(term)) covered += weight;
    }
    return all === 0 ? 0 : covered / all;
  }
}

/** What a passage is found by: its title and headings too. */
function searchableText(
  { title }: { readonly title: string },
  { heading, start, end }: { readonly heading: string; readonly start: number; readonly end: number },
  text: string,
): string {
  return `${title}\n${heading}\n${text.slice(start, end)}`;
}

function passageOf({ document: { record, text, passages } }: Entry, ordinal: number): Passage {
  const { start, end, heading, page } = passages[ordinal]!;
  return { record, ordinal, start, end, heading, page, text: text.slice(start, end) };
}

function neighboursOf(entry: Entry, from: number, to: number): Passage[] {
  const ordinals = [...entry.document.passages.keys()].slice(Math.max(0, from), Math.max(0, to));
  return ordinals.map((ordinal) => passageOf(entry, ordinal));
}

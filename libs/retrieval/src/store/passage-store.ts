/**
 * The documents of one namespace on the disk or in an object store: a LanceDB table. Documents come and go in commits that are
 * there whole or not at all; readers go on with the version that they opened.
 *
 * A document is one row of its text and one for each passage, under one key. An upsert replaces all of them in one commit, a
 * merge on the primary key: of two processes that write the same document at once the second one's commit is tried again on
 * top of the first's. That holds without an index on the key alone (LanceDB 0.39), so there is none; see
 * docs/decisions/0009-retriever.md.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type Connection, type Table } from '@lancedb/lancedb';
import {
  Binary,
  Field,
  Int32,
  type RecordBatch,
  Schema,
  Table as ArrowTable,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { CrucibleError } from '@crucible/foundation';
import type { Metadata } from '../parse/parsed-document.ts';

/** What is known of a document besides its text and passages. */
export interface DocumentRecord {
  readonly id: string;
  /** What it came in: a file, an upload. Several documents may come in one. */
  readonly source: string;
  /** SHA-256 of the source's bytes and of what else decides what becomes of it. */
  readonly sourceDigest: string;
  /** Documents that the source has: when as many are there, it was taken in whole. */
  readonly sourceDocuments: number;
  readonly title: string;
  readonly metadata: Metadata;
  /** SHA-256 of the text. */
  readonly digest: string;
  /** ISO 8601. */
  readonly ingestedAt: string;
}

export interface StoredPassage {
  readonly start: number;
  readonly end: number;
  readonly heading: string;
  readonly page: number;
  /** Of the embedder that `embedder` names. */
  readonly vector: Float32Array | undefined;
}

export interface StoredDocument {
  readonly record: DocumentRecord;
  readonly text: string;
  readonly passages: readonly StoredPassage[];
  /** Version of the embedder that made the vectors; empty: there are none. */
  readonly embedder: string;
  /** Another one with each commit. */
  readonly revision: string;
}

export interface Commit {
  readonly upserts: readonly Omit<StoredDocument, 'revision'>[];
  /** Ids. */
  readonly deletions: readonly string[];
}

export interface Committed {
  readonly documents: readonly StoredDocument[];
  readonly previous: number;
  readonly version: number;
}

/** Of LanceDB: a compaction after so many commits, and for how long old versions are kept for readers of other processes. */
export interface UpkeepOptions {
  /** Default: 64. */
  readonly compactEvery?: number;
  /** Milliseconds. Default: ten minutes. */
  readonly keepVersionsFor?: number;
}

const documentRow = -1;
/** Models that are kept with the documents, by what they are for. */
const modelRows = { embedder: -2, reranker: -3 } as const;

export type ModelRole = keyof typeof modelRows;
const rowFormat = '1';
/** Times that a read begins anew when others commit meanwhile. */
const mostReads = 10;

const schema = new Schema(
  [
    new Field('id', new Utf8(), false),
    new Field('key', new Utf8(), false),
    new Field('ordinal', new Int32(), false),
    new Field('revision', new Utf8(), false),
    new Field('embedder', new Utf8(), false),
    new Field('record', new Utf8(), true),
    new Field('text', new Utf8(), true),
    new Field('start', new Int32(), true),
    new Field('end', new Int32(), true),
    new Field('heading', new Utf8(), true),
    new Field('page', new Int32(), true),
    new Field('vector', new Binary(), true),
  ],
  new Map([['crucible.format', rowFormat]]),
);

interface Row {
  readonly id: string;
  readonly key: string;
  readonly ordinal: number;
  readonly revision: string;
  readonly embedder: string;
  readonly record?: string;
  readonly text?: string;
  readonly start?: number;
  readonly end?: number;
  readonly heading?: string;
  readonly page?: number;
  readonly vector?: Uint8Array;
}

export class PassageStore {
  readonly #table: Table;
  readonly #upkeep: Required<UpkeepOptions>;
  #commits = 0;

  private constructor(table: Table, upkeep: UpkeepOptions) {
    this.#table = table;
    this.#upkeep = { compactEvery: 64, keepVersionsFor: 600_000, ...upkeep };
  }

  /** Opens the table of that name; `isNew` makes it when it is not there. */
  static async open(
    connection: Connection,
    name: string,
    { create = false, ...upkeep }: UpkeepOptions & { readonly create?: boolean } = {},
  ): Promise<PassageStore | undefined> {
    const names = await tableNames(connection);
    if (!names.includes(name)) {
      if (!create) return undefined;
      const table = await connection.createEmptyTable(name, schema, { existOk: true, mode: 'create' });
      try {
        await table.setUnenforcedPrimaryKey('id');
      } catch (reason) {
        // Another process was first.
        if (!/already|primary key/i.test((reason as Error).message)) throw reason;
      }
      return new PassageStore(table, upkeep);
    }
    return new PassageStore(await connection.openTable(name), upkeep);
  }

  /** Counts up with every commit, whoever made it. Looks at the store. */
  async version(): Promise<number> {
    await this.#table.checkoutLatest();
    return this.#table.version();
  }

  /**
   * Puts documents in the place of those with the same ids, and takes others away; in one step. `previous` and `version` are
   * those before and after it: more than one apart when others have committed meanwhile.
   */
  async commit({ upserts, deletions }: Commit): Promise<Committed> {
    const previous = await this.version();
    const stored = upserts.map((document) => ({ ...document, revision: randomUUID() }));
    const gone = deletions.map(keyOf);
    if (stored.length === 0) {
      if (gone.length > 0) await this.#table.delete(`key IN (${quoted(gone)})`);
    } else {
      const keys = [...stored.map(({ record }) => keyOf(record.id)), ...gone];
      await this.#table
        .mergeInsert('id')
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete({ where: `key IN (${quoted(keys)})` })
        .useIndex(false)
        .execute(tableOf(stored.flatMap((document) => [...rowsOf(document)])));
    }
    const version = await this.#table.version();
    if (++this.#commits % this.#upkeep.compactEvery === 0) await this.compact();
    return { documents: stored, previous, version };
  }

  /** Joins the fragments that commits leave behind and forgets old versions. */
  async compact(): Promise<void> {
    await this.#table.optimize({ cleanupOlderThan: new Date(Date.now() - this.#upkeep.keepVersionsFor) });
  }

  /** Ids and revisions of all documents. */
  async revisions(): Promise<Map<string, string>> {
    const rows = await this.#table.query().where(`ordinal = ${documentRow}`).select(['record', 'revision']).toArrow();
    const result = new Map<string, string>();
    for (const row of rows) {
      const { record, revision } = row as unknown as { record: string; revision: string };
      result.set((JSON.parse(record) as DocumentRecord).id, revision);
    }
    return result;
  }

  /**
   * All documents, or those of the ids. Texts and passages are read apart: a scan of both takes gigabytes in LanceDB 0.39,
   * whose column of texts is empty for passages.
   */
  async read(ids?: readonly string[]): Promise<StoredDocument[]> {
    if (ids?.length === 0) return [];
    for (let attempt = 0; attempt < mostReads; attempt++) {
      const version = await this.version();
      const documents = await this.#readOnce(ids);
      if ((await this.version()) === version) return documents;
    }
    throw new CrucibleError('unavailable', `the table ${this.#table.name} changes faster than it can be read`);
  }

  async #readOnce(ids: readonly string[] | undefined): Promise<StoredDocument[]> {
    const wanted = ids && new Set(ids.map(keyOf));
    // A filter of many keys costs more than it saves.
    const keys = wanted && wanted.size <= 2000 ? ` AND key IN (${quoted([...wanted])})` : '';
    const documents = new Map<string, Omit<StoredDocument, 'passages'>>();
    const passages = new Map<string, StoredPassage[]>();
    for await (const batch of this.#table
      .query()
      .where(`ordinal = ${documentRow}${keys}`)
      .select(['key', 'revision', 'embedder', 'record', 'text'])) {
      for (const { key, revision, embedder, record, text } of rowsIn(batch))
        documents.set(key, { record: JSON.parse(record!) as DocumentRecord, text: text!, embedder, revision });
    }
    for await (const batch of this.#table
      .query()
      .where(`ordinal >= 0${keys}`)
      .select(['key', 'ordinal', 'start', 'end', 'heading', 'page', 'vector'])) {
      for (const { key, ordinal, start, end, heading, page, vector } of rowsIn(batch)) {
        let own = passages.get(key);
        if (!own) passages.set(key, (own = []));
        own[ordinal] = {
          start: start!,
          end: end!,
          heading: heading ?? '',
          page: page ?? 0,
          vector: vector && new Float32Array(vector.slice().buffer),
        };
      }
    }
    return [...documents].flatMap(([key, document]) =>
      wanted && !wanted.has(key) ? [] : [{ ...document, passages: passages.get(key) ?? [] }],
    );
  }

  /** The models that are kept with the documents. */
  async readModels(): Promise<ReadonlyMap<ModelRole, { readonly revision: string; readonly bytes: Uint8Array }>> {
    const result = new Map<ModelRole, { readonly revision: string; readonly bytes: Uint8Array }>();
    const rows = await this.#table.query().where(`ordinal <= ${modelRows.embedder}`).toArrow();
    for (const { ordinal, revision, vector } of rows.batches.flatMap((batch) => [...rowsIn(batch)])) {
      const role = (Object.keys(modelRows) as ModelRole[]).find((each) => modelRows[each] === ordinal);
      if (role) result.set(role, { revision, bytes: vector! });
    }
    return result;
  }

  /** Returns the revision. */
  async writeModel(role: ModelRole, version: string, bytes: Uint8Array): Promise<string> {
    const revision = randomUUID();
    const id = `#${role}`;
    const row: Row = { id, key: id, ordinal: modelRows[role], revision, embedder: version, vector: bytes };
    await this.#table.checkoutLatest();
    await this.#table
      .mergeInsert('id')
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .useIndex(false)
      .execute(tableOf([row]));
    return revision;
  }

  async removeModel(role: ModelRole): Promise<void> {
    await this.#table.checkoutLatest();
    await this.#table.delete(`ordinal = ${modelRows[role]}`);
  }

  /** How many data files there are, for tests of upkeep. */
  async fragments(): Promise<number> {
    await this.#table.checkoutLatest();
    return (await this.#table.stats()).fragmentStats.numFragments;
  }

  /** Passages and documents; more rows than that would be doubles. */
  async countRows(): Promise<number> {
    await this.#table.checkoutLatest();
    return this.#table.countRows();
  }

  close(): void {
    this.#table.close();
  }
}

/** Names of all tables. */
export async function tableNames(connection: Connection): Promise<string[]> {
  const names: string[] = [];
  for (let pageToken: string | undefined; ;) {
    const page = await connection.listTables(undefined, pageToken === undefined ? {} : { pageToken });
    names.push(...page.tables);
    pageToken = page.pageToken;
    if (pageToken === undefined) return names.sort();
  }
}

/** Keys are digests: whatever an id holds, nothing of it gets into an expression of the store. */
function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 40);
}

function quoted(keys: readonly string[]): string {
  return keys.map((key) => `'${key}'`).join(', ');
}

function* rowsOf({ record, text, passages, embedder, revision }: StoredDocument): Generator<Row> {
  const key = keyOf(record.id);
  const common = { key, revision, embedder };
  yield { ...common, id: key, ordinal: documentRow, record: JSON.stringify(record), text };
  for (const [ordinal, { vector, ...passage }] of passages.entries()) {
    const bytes = vector && { vector: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) };
    yield { ...common, id: `${key}-${ordinal}`, ordinal, ...passage, ...bytes };
  }
}

function tableOf(rows: readonly Row[]): ArrowTable {
  const columns = Object.fromEntries(
    schema.fields.map(({ name, type }) => [
      name,
      vectorFromArray(
        rows.map((row) => row[name as keyof Row] ?? null),
        type,
      ),
    ]),
  );
  return new ArrowTable(schema, columns);
}

function* rowsIn(batch: RecordBatch): Generator<Row> {
  const columns = batch.schema.fields.map(({ name }, i) => [name, batch.getChildAt(i)!] as const);
  for (let i = 0; i < batch.numRows; i++) {
    yield Object.fromEntries(
      columns.map(([name, column]) => [name, (column.get(i) as unknown) ?? undefined]),
    ) as unknown as Row;
  }
}

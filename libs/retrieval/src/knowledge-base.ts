/**
 * Collections by name, each a table of its own in one LanceDB database: a folder, or an object store by URL
 * (`s3://bucket/prefix`, with the usual AWS_… variables of the environment). No collection sees another.
 */
import { connect, type Connection } from '@lancedb/lancedb';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { Collection, type CollectionOptions } from './collection.ts';
import { tableNames } from './store/passage-store.ts';

const namePattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Throws `invalid-input`. */
export function assertCollectionName(name: string): void {
  if (namePattern.test(name)) return;
  throw invalidInput(
    `collection ${JSON.stringify(name.slice(0, 80))}: 1 to 64 of the characters a-z, 0-9, - and _ are allowed, the first a letter or digit`,
    { at: 'collection' },
  );
}

export class KnowledgeBase {
  readonly #connection: Connection;
  readonly #options: CollectionOptions;
  readonly #open = new Map<string, Promise<Collection | undefined>>();

  private constructor(connection: Connection, options: CollectionOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  static async open(uri: string, options: CollectionOptions = {}): Promise<KnowledgeBase> {
    try {
      return new KnowledgeBase(await connect(uri, { readConsistencyInterval: 0 }), options);
    } catch (reason) {
      const { message } = reason as Error;
      // Of an object store the answer is somewhere in the middle of the words of three libraries.
      const told = /<Message>(.*?)<\/Message>/.exec(message)?.[1] ?? message.slice(0, 300);
      throw new CrucibleError('unavailable', `the store ${uri} cannot be opened: ${told}`, { cause: reason });
    }
  }

  /** Throws `not-found`. */
  async get(name: string): Promise<Collection> {
    const collection = await this.#collection(name, false);
    if (!collection) throw await this.#notFound(name);
    return collection;
  }

  /** The collection, made when there is none. */
  async getOrCreate(name: string): Promise<Collection> {
    return (await this.#collection(name, true))!;
  }

  names(): Promise<string[]> {
    return tableNames(this.#connection);
  }

  /** Takes a collection away with all that is in it. */
  async drop(name: string): Promise<void> {
    const collection = await this.get(name);
    this.#open.delete(name);
    await collection.close();
    await this.#connection.dropTable(name);
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) await (await opening.catch(() => undefined))?.close();
    this.#open.clear();
    this.#connection.close();
  }

  async #collection(name: string, create: boolean): Promise<Collection | undefined> {
    assertCollectionName(name);
    const known = await this.#open.get(name)?.catch(() => undefined);
    if (known) return known;
    const opening = Collection.open(this.#connection, name, { ...this.#options, create });
    this.#open.set(name, opening);
    try {
      const collection = await opening;
      if (!collection) this.#open.delete(name);
      return collection;
    } catch (reason) {
      this.#open.delete(name);
      throw reason;
    }
  }

  async #notFound(name: string): Promise<CrucibleError> {
    const names = await this.names();
    const there = names.length === 0 ? 'there are none yet' : `there are ${names.slice(0, 20).join(', ')}`;
    return new CrucibleError('not-found', `collection ${name} does not exist; ${there}`, { at: 'collection' });
  }
}

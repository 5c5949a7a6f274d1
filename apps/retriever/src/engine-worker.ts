/** The process that holds the collections. */
import { CrucibleError } from '@crucible/foundation';
import { type Collection, KnowledgeBase, loadEmbedder, parseFilter, Reranker } from '@crucible/retrieval';
import { serveWorker } from '@crucible/service';
import { uriVariable } from './workers.ts';
import type { EngineMethods, TitledDocument } from './worker-protocol.ts';

const base = await KnowledgeBase.open(process.env[uriVariable]!, {
  loadEmbedder,
  loadReranker: (bytes) => Reranker.parse(bytes),
});
/** Characters of a text that go out at once. */
const mostCharacters = 1_000_000;

serveWorker<EngineMethods>({
  ingest: async ({ collection, sources }, { signal }) => (await base.getOrCreate(collection)).ingest(sources, signal),

  has: async ({ collection, sources }) => {
    if (!(await base.names()).includes(collection)) return sources.map(() => false);
    const open = await newest(collection);
    return sources.map(({ name, digest }) => open.has(name, digest));
  },

  remove: async ({ collection, ids, sources }) => {
    const open = await newest(collection);
    return open.remove([...new Set([...ids, ...sources.flatMap((source) => open.documentsOf(source))])]);
  },

  sources: async ({ collection, prefix }) => (await newest(collection)).sources(prefix),

  search: async ({ collection, request }) => (await base.get(collection)).search(request),

  get: async ({ collection, wanted, start, end }) => {
    const open = await newest(collection);
    const { record, text, passages } = open.get('id' in wanted ? wanted.id : titled(open, wanted));
    const last = Math.min(end === 0 ? text.length : end, start + mostCharacters);
    return { record, text: text.slice(start, last), textLength: text.length, passages };
  },

  embed: async ({ collection, texts, kind, dimensions }) => (await base.get(collection)).embed(texts, kind, dimensions),

  list: async ({ collection, after, limit }) => (await newest(collection)).list(after, limit),

  collections: async () => {
    const result = [];
    for (const name of await base.names()) {
      const open = await newest(name);
      result.push({ name, ...open.info });
    }
    return result;
  },

  drop: async ({ collection }) => {
    await base.drop(collection);
    return undefined;
  },
});

function titled(collection: Collection, { title, filter }: TitledDocument): string {
  const id = collection.idOf(title, filter && parseFilter(filter));
  if (id !== undefined) return id;
  throw new CrucibleError('not-found', `${collection.name} has no document with the title ${JSON.stringify(title)}`, {
    at: 'title',
  });
}

/** With what other processes have committed. */
async function newest(name: string): Promise<Collection> {
  const collection = await base.get(name);
  await collection.refresh();
  return collection;
}

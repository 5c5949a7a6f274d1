/** /v1/knowledge: documents in, passages with citations out, over HTTP. */
import type { JsonObject } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { type Context, Hono } from 'hono';
import { invalidInput } from '@crucible/foundation';
import {
  type Document,
  type Hit,
  type IngestRequest,
  type Passage,
  type RetrieverService,
  SearchMode,
} from '@crucible/protos/retriever/v1';
import type { Client } from '@crucible/rpc';
import { z } from 'zod';

const modes = { hybrid: SearchMode.HYBRID, lexical: SearchMode.LEXICAL, dense: SearchMode.DENSE } as const;
/** Bytes of an upload that go out in one message. */
const pieceBytes = 256 * 1024;

const searchBody = z.strictObject({
  query: z.string(),
  limit: z.int().min(1).max(1000).optional(),
  filter: z.record(z.string(), z.json()).optional(),
  mode: z.enum(['hybrid', 'lexical', 'dense']).optional(),
  neighbours: z.int().min(0).max(20).optional(),
  dense_weight: z.number().min(0).max(1).optional(),
  rerank: z.int().min(0).max(100).optional(),
});

/** Whether a request brings a document, which may be larger than other bodies: the retriever has a limit of its own. */
export function isUpload(method: string, path: string): boolean {
  return method === 'PUT' && /^\/v1\/knowledge\/[^/]+\/sources\/./.test(path);
}

export function createKnowledgeRoutes(retriever: Client<typeof RetrieverService>): Hono {
  const app = new Hono();
  app.get('/', async (context) => {
    const { collections } = await retriever.listCollections({}, callOptions(context));
    const data = collections.map((each) => ({
      id: each.name,
      object: 'collection',
      documents: Number(each.documentCount),
      passages: Number(each.passageCount),
      embedder: each.embedder === '' ? null : each.embedder,
      dimensions: each.dimensions === 0 ? null : each.dimensions,
      reranker: each.reranker === '' ? null : each.reranker,
    }));
    return context.json({ object: 'list', data });
  });

  app.delete('/:collection', async (context) => {
    const { collection } = context.req.param();
    await retriever.deleteCollection({ collection }, callOptions(context));
    return context.json({ id: collection, object: 'collection', deleted: true });
  });

  app.post('/:collection/search', async (context) => {
    const { filter, mode, dense_weight: denseWeight, ...rest } = await searchOf(context);
    const request = {
      ...rest,
      collection: context.req.param('collection'),
      mode: modes[mode ?? 'hybrid'],
      ...(filter && { filter: filter as JsonObject }),
      ...(denseWeight !== undefined && { denseWeight }),
    };
    const { hits, confidence } = await retriever.search(withoutUndefined(request), callOptions(context));
    return context.json({ object: 'list', confidence, data: hits.map(hitJson) });
  });

  app.put('/:collection/sources/:name{.+}', async (context) => {
    const { collection, name } = context.req.param();
    const encoding = context.req.query('encoding') ?? '';
    const metadata = metadataOf(context.req.query('metadata'));
    const header = { collection, name, encoding, ...(metadata && { metadata }) };
    const result = await retriever.ingest(upload(header, context.req.raw.body), callOptions(context));
    return context.json(
      {
        object: 'source',
        id: name,
        unchanged: result.unchanged,
        documents: result.documents.map(documentJson),
        passages: result.passageCount,
        removed: result.removedIds,
        failures: result.failures.map(({ at, message }) => ({ at, message })),
      },
      result.unchanged ? 200 : 201,
    );
  });

  app.get('/:collection/documents', async (context) => {
    const { collection } = context.req.param();
    const pageSize = Number(context.req.query('limit') ?? 0);
    if (!Number.isInteger(pageSize) || pageSize < 0)
      throw invalidInput('limit: a whole number is needed', { at: 'limit' });
    const pageToken = context.req.query('after') ?? '';
    const page = await retriever.listDocuments({ collection, pageSize, pageToken }, callOptions(context));
    const after = page.nextPageToken === '' ? null : page.nextPageToken;
    return context.json({ object: 'list', data: page.documents.map(documentJson), after });
  });

  app.get('/:collection/documents/:id{.+}', async (context) => {
    const range = { start: characterAt(context, 'start'), end: characterAt(context, 'end') };
    const found = await retriever.getDocument({ ...context.req.param(), ...range }, callOptions(context));
    const { text, textLength, passageCount } = found;
    return context.json({ ...documentJson(found.document!), text, text_length: textLength, passages: passageCount });
  });

  app.delete('/:collection/documents/:id{.+}', async (context) => {
    const { collection, id } = context.req.param();
    const { ids } = await retriever.deleteDocuments({ collection, ids: [id] }, callOptions(context));
    return context.json({ id, object: 'document', deleted: ids.length > 0 });
  });
  return app;
}

/** A place in a document's text; 0, for the retriever: not named. */
function characterAt(context: Context, name: string): number {
  const given = context.req.query(name) ?? '0';
  const at = Number(given);
  if (!/^\d+$/.test(given) || at > 0xffff_ffff)
    throw invalidInput(`${name}: ${JSON.stringify(given)} is given; a number of characters is allowed`, { at: name });
  return at;
}

async function searchOf(context: Context): Promise<z.infer<typeof searchBody>> {
  const text = await context.req.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (reason) {
    throw invalidInput(`the body is no JSON: ${(reason as Error).message}`, { at: 'body' });
  }
  const parsed = searchBody.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const unknown = issue!.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const at = unknown ?? (issue!.path.map(String).join('.') || 'body');
  throw invalidInput(`${at}: ${unknown === undefined ? issue!.message : 'there is no such field'}`, { at });
}

function metadataOf(given: string | undefined): JsonObject | undefined {
  if (given === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(given);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Said below
  }
  throw invalidInput('metadata: a JSON object is needed, for example {"lang": "en"}', { at: 'metadata' });
}

interface Part {
  readonly part: IngestRequest['part'] | { readonly case: 'header'; readonly value: object };
}

async function* upload(header: object, body: ReadableStream<Uint8Array> | null): AsyncGenerator<Part> {
  yield { part: { case: 'header', value: header } };
  if (!body) return;
  for await (const bytes of body)
    for (let at = 0; at < bytes.length; at += pieceBytes)
      yield { part: { case: 'content', value: bytes.subarray(at, at + pieceBytes) } };
}

function documentJson({ id, source, title, metadata = {}, ingestedAt, sha256 }: Document) {
  const created = ingestedAt ? Math.floor(timestampDate(ingestedAt).getTime() / 1000) : 0;
  return { id, object: 'document', source, title, metadata, created, sha256 };
}

function passageJson({ ordinal, start, end, text, heading, page }: Passage) {
  return { ordinal, start, end, text, heading, page: page === 0 ? null : page };
}

function hitJson({ passage, document, ...hit }: Hit) {
  return {
    object: 'passage',
    ...passageJson(passage!),
    document: documentJson(document!),
    score: hit.score,
    lexical_score: hit.lexicalScore,
    similarity: hit.similarity,
    rerank_score: hit.rerankScore ?? null,
    highlights: hit.highlights.map(({ start, end }) => [start, end]),
    before: hit.before.map(passageJson),
    after: hit.after.map(passageJson),
    also_in: hit.alsoIn,
  };
}

function callOptions(context: Context): { readonly signal: AbortSignal } {
  return { signal: context.req.raw.signal };
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;
}

/** Embeddings over HTTP: the gateway in front of a retriever whose collections have embedders. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { createGatewayService } from '@crucible/gateway';
import { JobState, RetrieverService, SearchMode } from '@crucible/protos/retriever/v1';
import { createRetrieverService } from '@crucible/retriever';
import { type Client, createClient } from '@crucible/rpc';
import { ApiKeys, createLogger, type Service } from '@crucible/service';
import '@crucible/testing';

const encoders = join(import.meta.dirname, '../../../libs/retrieval/fixtures/encoders');
/** Of sentence-transformers: see make_encoders.py there. */
const expected = JSON.parse(readFileSync(join(encoders, 'expected.json'), 'utf8')) as {
  readonly texts: readonly string[];
  readonly query: string;
  readonly minilm: { readonly passages: readonly number[][]; readonly query: readonly number[] };
};
const notes = Array.from({ length: 40 }, (_, i) => ({
  id: String(i),
  title: `Note ${i % 5}`,
  text: `Kettles of kind${i % 5} boil. Teapots of kind${i % 5} pour. Cups stay.`,
}));
const home = mkdtempSync(join(tmpdir(), 'crucible-embeddings-'));
const common = { log: createLogger('test', 'silent'), host: '127.0.0.1', port: 0 };
let bus: Bus;
let retriever: Service;
let client: Client<typeof RetrieverService>;
let gateway: Service;
let openai: OpenAI;

beforeAll(async () => {
  bus = await createBus('embedded:');
  retriever = await createRetrieverService({ ...common, bus, home, store: join(home, 'knowledge') });
  client = createClient(RetrieverService, retriever.target, { deadlineMs: 60_000 });
  const rows = Buffer.from(notes.map((note) => JSON.stringify(note)).join('\n'));
  for (const collection of ['bare', 'taught', 'given'])
    await client.ingest(
      (async function* () {
        yield await Promise.resolve({
          part: { case: 'header' as const, value: { collection, name: 'notes.jsonl' } },
        });
        yield { part: { case: 'content' as const, value: rows } };
      })(),
    );
  await giveEmbedder('taught', { steps: 3, seed: 1 });
  await giveEmbedder('given', { folder: join(encoders, 'minilm') });
  gateway = await startGateway();
  openai = new OpenAI({ baseURL: `http://${gateway.target}/v1`, apiKey: 'none', maxRetries: 0 });
}, 120_000);
afterAll(async () => {
  await gateway.close(0);
  client.close();
  await retriever.close(1000);
  await bus.close();
  rmSync(home, { recursive: true, force: true });
});

function startGateway(keys?: string): Promise<Service> {
  const nobody = '127.0.0.1:1';
  return createGatewayService({
    ...common,
    ...{ policyTarget: nobody, sandboxTarget: nobody, trainerTarget: nobody, actorTarget: nobody },
    retrieverTarget: retriever.target,
    ...(keys !== undefined && { keys }),
  });
}

async function giveEmbedder(collection: string, value: object): Promise<void> {
  await client.submitJob({ jobId: collection, spec: { collection, kind: { case: 'embedder', value } } });
  await vi.waitFor(
    async () => expect((await client.getJob({ jobId: collection })).job!.state).toBe(JobState.SUCCEEDED),
    { timeout: 60_000, interval: 50 },
  );
}

interface Answer {
  readonly model: string;
  readonly embedder: string;
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
  readonly error: { readonly message: string; readonly param: string | null };
}

async function embed(body: object, authorization?: string): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`http://${gateway.target}/v1/embeddings`, {
    method: 'POST',
    body: JSON.stringify(body),
    ...(authorization !== undefined && { headers: { authorization } }),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

describe('POST /v1/embeddings', () => {
  it('has the vectors of an encoder, as sentence-transformers makes them, of passages and of queries', async () => {
    const { body } = await embed({ model: 'given', input: expected.texts });
    expect(body.data.map(({ index }) => index)).toEqual(expected.texts.map((_, i) => i));
    body.data.forEach(({ embedding }, i) =>
      expect(embedding).toBeAllClose(expected.minilm.passages[i]!, { atol: 2e-5 }),
    );
    expect(body).toMatchObject({
      object: 'list',
      model: 'given',
      embedder: expect.stringMatching(/^encoder-/) as string,
    });
    // One of them is cut at the 24 tokens that the folder names.
    expect(body.usage.prompt_tokens).toBeGreaterThan(expected.texts.length);
    expect(body.usage.prompt_tokens).toBeLessThanOrEqual(24 * expected.texts.length);
    const asked = await embed({ model: 'given', input: expected.query, input_type: 'query' });
    expect(asked.body.data[0]!.embedding).toBeAllClose(expected.minilm.query, { atol: 2e-5 });
  });

  it('has what searches compare: the similarity of a hit is that of its vectors', async () => {
    const query = 'kind3 kettles';
    const { hits } = await client.search({ collection: 'taught', query, mode: SearchMode.DENSE, limit: 1 });
    const [{ passage, document, similarity }] = hits as [(typeof hits)[0] & object];
    const input = `${document!.title}\n${passage!.heading}\n${passage!.text}`;
    const [a, b] = await Promise.all([
      embed({ model: 'taught', input: query, input_type: 'query' }),
      embed({ model: 'taught', input }),
    ]);
    const [q, p] = [a.body.data[0]!.embedding, b.body.data[0]!.embedding];
    expect(q.reduce((sum, value, i) => sum + value * p[i]!, 0)).toBeCloseTo(similarity, 4);
    // Its tokens are words.
    expect(a.body.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
  });

  it('gives many texts in their order, and the same to the client of OpenAI, which asks for base64', async () => {
    const input = Array.from({ length: 100 }, (_, i) => notes[(i * 7) % 40]!.text);
    const { body } = await embed({ model: 'taught', input });
    const single = await embed({ model: 'taught', input: input[77]! });
    expect(body.data).toHaveLength(100);
    expect(body.data[77]!.embedding).toEqual(single.body.data[0]!.embedding);
    expect(body.data[78]!.embedding).not.toEqual(body.data[77]!.embedding);
    const { data, usage } = await openai.embeddings.create({ model: 'taught', input });
    expect(data.map(({ embedding }) => embedding)).toEqual(body.data.map(({ embedding }) => embedding));
    expect(usage).toEqual(body.usage);
  });

  it('shortens vectors that may be shortened, and no others', async () => {
    const text = notes[1]!.text;
    const [whole] = (await embed({ model: 'taught', input: text })).body.data;
    const { collections } = await client.listCollections({});
    const { dimensions, leastDimensions } = collections.find(({ name }) => name === 'taught')!;
    expect(whole!.embedding).toHaveLength(dimensions);
    expect(leastDimensions).toBeLessThan(dimensions);
    for (const wanted of [leastDimensions, leastDimensions + 1, dimensions]) {
      const head = whole!.embedding.slice(0, wanted);
      const { data } = await openai.embeddings.create({ model: 'taught', input: text, dimensions: wanted });
      expect(data[0]!.embedding).toBeAllClose(
        head.map((value) => value / Math.hypot(...head)),
        { atol: 1e-6 },
      );
    }
    for (const [model, wanted, allowed] of [
      ['taught', leastDimensions - 1, `a whole number from ${leastDimensions} to ${dimensions}`],
      ['taught', dimensions + 1, `a whole number from ${leastDimensions} to ${dimensions}`],
      ['given', 11, '12'],
    ] as const)
      expect(await embed({ model, input: text, dimensions: wanted })).toMatchObject({
        status: 400,
        body: { error: { message: `dimensions: ${wanted} is given; ${allowed} is allowed`, param: 'dimensions' } },
      });
  });

  it('has zeros for a text without a word that the embedder knows', async () => {
    const { body } = await embed({ model: 'taught', input: '###' });
    expect(new Set(body.data[0]!.embedding)).toEqual(new Set([0]));
    expect(body.usage.prompt_tokens).toBe(0);
  });

  const right = { model: 'taught', input: 'x' };
  const long = 'y'.repeat(65_537);
  const lists = 'a string that is not empty, or a list of 1 to 2048 of them, is allowed';
  it.each([
    ['an unknown collection', { model: 'none', input: 'x' }, 404, 'model: collection none does not exist', 'model'],
    ['no name', { model: 'A B', input: 'x' }, 400, 'model: collection "A B": 1 to 64 of', 'model'],
    ['one without an embedder', { model: 'bare', input: 'x' }, 400, 'model: bare has no embedder yet', 'model'],
    ['no model', { input: 'x' }, 400, 'model: it is missing', 'model'],
    ['no input', { model: 'taught' }, 400, `input: it is missing; ${lists}`, 'input'],
    [
      'an empty text',
      { model: 'taught', input: '' },
      400,
      'input: "" is given; a string that is not empty is allowed',
      'input',
    ],
    ['an empty list', { model: 'taught', input: [] }, 400, `input: [] is given; ${lists}`, 'input'],
    ['tokens', { model: 'taught', input: [1, 2] }, 400, `input: [1,2] is given; ${lists}`, 'input'],
    ['2049 texts', { model: 'taught', input: Array<string>(2049).fill('x') }, 400, lists, 'input'],
    ['a long text', { model: 'taught', input: ['x', long] }, 400, 'input[1]: it has 65537 characters', 'input[1]'],
    ['an encoding', { ...right, encoding_format: 'int8' }, 400, 'encoding_format: "int8" is given', 'encoding_format'],
    ['no dimensions', { ...right, dimensions: 0 }, 400, 'dimensions: 0 is given', 'dimensions'],
    ['another field', { ...right, pooling: 'mean' }, 400, 'pooling: this field is not known', 'pooling'],
  ])('refuses %s by name', async (_what, body, status, message, param) => {
    expect(await embed(body)).toMatchObject({
      status,
      body: { error: { message: expect.stringContaining(message) as string, param } },
    });
  });

  it('needs the scope knowledge, and counts for the tokens of a key', async () => {
    const folder = join(home, 'keys');
    const keys = new ApiKeys(folder);
    const key = keys.add({ name: 'reader', scopes: ['knowledge'], tokensPerMinute: 3 });
    const talker = keys.add({ name: 'talker', scopes: ['chat'] });
    const open = gateway;
    gateway = await startGateway(folder);
    try {
      const body = { model: 'taught', input: 'kind3 kettles boil and pour' };
      expect(await embed(body, `Bearer ${talker}`)).toMatchObject({ status: 403 });
      expect(await embed(body, `Bearer ${key}`)).toMatchObject({ status: 200 });
      expect(await embed(body, `Bearer ${key}`)).toMatchObject({ status: 429 });
    } finally {
      await gateway.close(0);
      gateway = open;
    }
  });
});

import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bus, type BusEvent, createBus, createEvent } from '@crucible/bus';
import { type Job, JobState, RetrieverService, SearchMode } from '@crucible/protos/retriever/v1';
import { type Client, createClient } from '@crucible/rpc';
import { createLogger, type Service } from '@crucible/service';
import { createRetrieverService } from './retriever-service.ts';
import { childrenRunning } from './testing/child-processes.ts';

const home = mkdtempSync(join(tmpdir(), 'crucible-retriever-'));
const fixture = (name: string): string => join(import.meta.dirname, '../../../libs/retrieval/fixtures', name);
const said: BusEvent[] = [];
let bus: Bus;
let service: Service;
let client: Client<typeof RetrieverService>;

async function start(): Promise<void> {
  service = await createRetrieverService({
    bus,
    home,
    store: join(home, 'knowledge'),
    log: createLogger('retriever', 'silent'),
    host: '127.0.0.1',
    port: 0,
    ackWait: 5000,
  });
  client = createClient(RetrieverService, service.target);
}

async function stop(): Promise<void> {
  client.close();
  await service.close(2000);
}

beforeAll(async () => {
  bus = await createBus('embedded:');
  await bus.subscribe('crucible.document.*', {}, ({ event }) => void said.push(event));
  await start();
}, 60_000);

afterAll(async () => {
  await stop();
  await bus.close();
  rmSync(home, { recursive: true });
}, 60_000);

// eslint-disable-next-line @typescript-eslint/require-await -- a stream is asked for
async function* parts(header: object, ...contents: (string | Uint8Array)[]) {
  yield { part: { case: 'header' as const, value: header } };
  for (const content of contents) yield { part: { case: 'content' as const, value: Buffer.from(content) } };
}

async function ended(jobId: string): Promise<Job> {
  let job: Job | undefined;
  await expect
    .poll(async () => (job = (await client.getJob({ jobId })).job)!.state, { timeout: 60_000, interval: 50 })
    .toBeGreaterThanOrEqual(JobState.SUCCEEDED);
  return job!;
}

const isWordAt =
  (text: string) =>
  ({ start, end }: { start: number; end: number }) =>
    text.slice(start, end);

describe('an upload', () => {
  test('comes in pieces and is found at its characters', async () => {
    const text = '# 河流\n\n长江是亚洲最长的河流。\n\n# Rivers\n\nThe Rhine flows to the North Sea.';
    const bytes = Buffer.from(text);
    // Cut within a character.
    const result = await client.ingest(
      parts(
        { collection: 'geo', name: 'rivers.md', metadata: { lang: 'zh', year: 2020, tags: ['a'] } },
        bytes.subarray(0, 9),
        bytes.subarray(9),
      ),
    );
    expect(result).toMatchObject({ documentCount: 1, passageCount: 2, unchanged: false, failures: [] });
    const { hits, confidence } = await client.search({
      collection: 'geo',
      query: '亚洲最长的河流',
      filter: { year: { gte: 2020 } },
      neighbours: 1,
    });
    expect(confidence).toBeGreaterThan(0.9);
    const { passage, document, highlights, after } = hits[0]!;
    expect(document).toMatchObject({ id: 'rivers.md', metadata: { lang: 'zh', year: 2020, tags: ['a'] } });
    expect(text.slice(passage!.start, passage!.end)).toBe(passage!.text);
    expect(highlights.map(isWordAt(passage!.text))).toContain('亚洲最长的河流');
    expect(after.map(({ heading }) => heading)).toEqual(['Rivers']);
    expect(await client.getDocument({ collection: 'geo', id: 'rivers.md', start: 2, end: 4 })).toMatchObject({
      text: '河流',
      textLength: text.length,
      passageCount: 2,
    });
    expect(await client.getDocument({ collection: 'geo', title: '河流', filter: { year: 2020 } })).toMatchObject({
      document: { id: 'rivers.md' },
      text,
    });
    for (const request of [{ title: '河' }, { title: '河流', filter: { year: 1 } }])
      await expect(client.getDocument({ collection: 'geo', ...request })).rejects.toMatchObject({ at: 'title' });

    const again = await client.ingest(
      parts({ collection: 'geo', name: 'rivers.md', metadata: { lang: 'zh', year: 2020, tags: ['a'] } }, bytes),
    );
    expect(again.unchanged).toBe(true);
    await expect
      .poll(() => said.map(({ type, subject }) => [type, subject]))
      .toEqual([['crucible.document.ingested', 'rivers.md']]);
    expect(said[0]!.data).toMatchObject({ documentId: 'rivers.md', collection: 'geo', title: '河流', passages: 2 });
  });

  test.each([
    [
      'no header',
      [{ part: { case: 'content' as const, value: Buffer.from('x') } }],
      'header: it must come before the content',
    ],
    ['nothing at all', [], 'header: it is missing'],
  ])('with %s is refused', async (_what, messages, message) => {
    // eslint-disable-next-line @typescript-eslint/require-await -- a stream is asked for
    const stream = async function* () {
      yield* messages;
    };
    await expect(client.ingest(stream())).rejects.toMatchObject({ code: 'invalid-input', at: 'header', message });
  });

  test.each([
    [{ name: 'x.exe' }, 'x', 'name: the ending of x.exe says no known format'],
    [{ name: 'x.md', collection: 'A/B' }, 'x', 'collection "A/B": 1 to 64 of the characters'],
    [{ name: 'x.md', passageTokens: 1 }, 'x', 'passage_tokens: 1 is not within 16 and 4096'],
    [
      { name: 'x.md', metadata: { a: { b: 1 } } },
      'x',
      'metadata.a: a string, a number, true, false or a list of strings is needed',
    ],
    [{ name: 'x.md' }, '', 'x.md: there is no text in it'],
    [{ name: 'x.txt' }, Buffer.from([0xff, 0x41]), 'x.txt: it is no UTF-8 (byte 0)'],
    [{ name: 'x.pdf' }, '%PDF-1.7 broken', 'x.pdf: it is a damaged PDF'],
    [{ name: 'x.jsonl' }, '{"a": 1}', 'x.jsonl: nothing in it can be read; x.jsonl:1: it has no text'],
  ])('of %j is refused by name', async (header, content, message) => {
    const error: unknown = await client.ingest(parts(header, content)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'invalid-input' });
    expect((error as Error).message).toContain(message);
    expect((await client.listCollections({})).collections.map(({ name }) => name)).toEqual(['geo']);
  });

  test('of a gigabyte is cut off at the limit', async () => {
    const piece = new Uint8Array(1024 * 1024);
    let sent = 0;
    // eslint-disable-next-line @typescript-eslint/require-await -- a stream is asked for
    async function* endless() {
      yield { part: { case: 'header' as const, value: { name: 'large.txt' } } };
      for (; sent < 1024; sent++) yield { part: { case: 'content' as const, value: piece } };
    }
    await expect(client.ingest(endless())).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: 'large.txt: it is larger than 134217728 bytes',
    });
    expect(sent).toBeLessThan(300);
  });
});

describe('a job', () => {
  const folder = join(home, 'library');

  test('takes in a folder, leaves out what is bad by name, and goes on where things are unchanged', async () => {
    mkdirSync(join(folder, 'deep'), { recursive: true });
    for (let i = 0; i < 150; i++)
      writeFileSync(join(folder, 'deep', `note-${i}.md`), `# Note ${i}\n\nAbout subject${i}.`);
    writeFileSync(join(folder, 'rows.jsonl'), '{"id": "a", "text": "first row"}\n{broken\n');
    writeFileSync(join(folder, 'latin.txt'), Buffer.from('Gr\xfc\xdfe', 'latin1'));
    writeFileSync(join(folder, 'image.png'), 'no text');
    writeFileSync(join(folder, '.hidden.md'), 'hidden');
    for (const name of ['encrypted.pdf', 'lighthouse.pdf', 'bridge.docx'])
      copyFileSync(fixture(name), join(folder, name));
    const spec = { collection: 'library', kind: { case: 'ingest' as const, value: { path: folder, prune: true } } };

    await client.submitJob({ jobId: 'first', spec });
    const first = await ended('first');
    expect(first).toMatchObject({
      state: JobState.SUCCEEDED,
      total: 155n,
      done: 155n,
      ingested: 153n,
      unchanged: 0n,
      skipped: 1n,
      failed: 2n,
      attempts: 1,
    });
    expect(first.failures.map(({ message }) => message).sort()).toEqual([
      'library/encrypted.pdf: it is encrypted, and needs a password',
      'library/latin.txt: it is no UTF-8 (byte 2); say its encoding, for example gb18030, big5 or windows-1252',
      expect.stringMatching(/^library\/rows.jsonl:2: it is no JSON/) as string,
    ]);
    const { hits } = await client.search({ collection: 'library', query: 'where is paraffin kept?' });
    expect(hits[0]!.passage).toMatchObject({ documentId: 'library/lighthouse.pdf', page: 2, heading: 'Stores' });

    for (let i = 0; i < 140; i++) unlinkSync(join(folder, 'deep', `note-${i}.md`));
    writeFileSync(join(folder, 'deep', 'note-149.md'), '# Changed\n\nNow about something else.');
    await client.submitJob({ jobId: 'second', spec });
    expect(await ended('second')).toMatchObject({
      state: JobState.SUCCEEDED,
      ingested: 1n,
      unchanged: 12n,
      failed: 2n,
      removed: 140n,
    });
    const { documents } = await client.listDocuments({ collection: 'library', pageSize: 500 });
    expect(documents).toHaveLength(13);
    expect(documents.map(({ id }) => id)).toContain('library/rows.jsonl#a');
  });

  test('goes on in the next service when one is stopped, and when the process of the collections is killed; nothing is doubled', async () => {
    const many = join(home, 'many');
    mkdirSync(many);
    // Enough that the first process has not done all when it is stopped.
    for (let i = 0; i < 4000; i++) writeFileSync(join(many, `${i}.md`), `# Page ${i}\n\nWord${i} and more words.`);
    await client.submitJob({
      jobId: 'long',
      spec: { collection: 'many', kind: { case: 'ingest', value: { path: many } } },
    });
    await expect
      .poll(async () => (await client.getJob({ jobId: 'long' })).job!.done, { timeout: 20_000, interval: 5 })
      .toBeGreaterThan(0n);
    await stop();
    await start();
    process.kill(childrenRunning('engine-worker.ts')[0]!, 'SIGKILL');
    const job = await ended('long');
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, done: 4000n, failed: 0n });
    expect(job.ingested + job.unchanged).toBe(4000n);
    expect(job.unchanged).toBeGreaterThan(0n);
    const { collections } = await client.listCollections({});
    expect(collections.find(({ name }) => name === 'many')).toMatchObject({
      documentCount: 4000n,
      passageCount: 4000n,
    });
  }, 120_000);

  test('is cancelled, and repeated submissions are one', async () => {
    const spec = { collection: 'many2', kind: { case: 'ingest' as const, value: { path: join(home, 'many') } } };
    await client.submitJob({ jobId: 'stopped', spec });
    await client.submitJob({ jobId: 'stopped', spec });
    await expect(client.submitJob({ jobId: 'stopped', spec: { ...spec, collection: 'other' } })).rejects.toMatchObject({
      code: 'conflict',
      at: 'job_id',
    });
    await client.cancelJob({ jobId: 'stopped' });
    expect((await ended('stopped')).state).toBe(JobState.CANCELLED);
    await expect(
      client.submitJob({ spec: { kind: { case: 'ingest', value: { path: '/none/such' } } } }),
    ).rejects.toMatchObject({ code: 'not-found', message: 'path: /none/such does not exist' });
    await expect(client.submitJob({ spec: {} })).rejects.toMatchObject({
      message: 'spec: it says nothing to do; ingest, embedder or reranker is needed',
    });
    await expect(client.getJob({ jobId: 'none' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'job none does not exist',
    });
  });

  test('gives a collection an embedder, and searches go by it', async () => {
    const notes = Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({
        id: i,
        title: `Note ${i % 5}`,
        text: `Kettles of kind${i % 5} boil. Teapots of kind${i % 5} pour. Cups stay.`,
      }),
    );
    await client.ingest(parts({ collection: 'taught', name: 'notes.jsonl' }, notes.join('\n')));
    const spec = { collection: 'taught', kind: { case: 'embedder' as const, value: { steps: 3, seed: 1 } } };
    await client.submitJob({ jobId: 'teach', spec });
    expect(await ended('teach')).toMatchObject({ state: JobState.SUCCEEDED, stage: 'embedding' });
    const { collections } = await client.listCollections({});
    const taught = collections.find(({ name }) => name === 'taught')!;
    expect(taught).toMatchObject({
      passageCount: 40n,
      embeddedCount: 40n,
      embedder: expect.stringMatching(/^bag-/) as string,
    });
    const query = { collection: 'taught', query: 'kind3 kettles', mode: SearchMode.DENSE, limit: 3 };
    const { hits } = await client.search(query);
    expect(hits.length).toBeGreaterThan(0);
    expect(hits[0]!.similarity).toBeGreaterThan(0);
    await client.submitJob({
      jobId: 'unteachable',
      spec: { ...spec, kind: { case: 'embedder', value: { folder: home } } },
    });
    expect(await ended('unteachable')).toMatchObject({
      state: JobState.FAILED,
      errorMessage: expect.stringContaining('config.json') as string,
    });
  }, 60_000);

  test('whose process is killed goes on where it was, and comes to the same embedder', async () => {
    const notes = Array.from({ length: 300 }, (_, i) =>
      JSON.stringify({ id: i, text: `Room ${i % 7} has a lamp${i % 11}. Door${i % 5} leads to room ${i % 3}. Stay.` }),
    );
    const value = { steps: 200, seed: 3 };
    const versions: string[] = [];
    for (const collection of ['killed', 'whole']) {
      await client.ingest(parts({ collection, name: 'rooms.jsonl' }, notes.join('\n')));
      await client.submitJob({ jobId: collection, spec: { collection, kind: { case: 'embedder', value } } });
      const stepsOf = async (): Promise<number> => {
        const { stage, done } = (await client.getJob({ jobId: collection })).job!;
        return stage === 'training' ? Number(done) : 0;
      };
      if (collection === 'killed') {
        await expect.poll(stepsOf, { timeout: 25_000, interval: 20 }).toBeGreaterThan(40);
        const before = await stepsOf();
        process.kill(childrenRunning('embedder-worker.ts')[0]!, 'SIGKILL');
        await expect
          .poll(async () => (await client.getJob({ jobId: collection })).job!.attempts, {
            timeout: 25_000,
            interval: 20,
          })
          .toBe(2);
        // What the second attempt reports first is beyond where the first one was, but for the last checkpoint.
        await expect.poll(stepsOf, { timeout: 25_000, interval: 20 }).not.toBe(before);
        expect(await stepsOf()).toBeGreaterThan(20);
      }
      expect(await ended(collection)).toMatchObject({ state: JobState.SUCCEEDED });
      const { collections } = await client.listCollections({});
      versions.push(collections.find(({ name }) => name === collection)!.embedder);
    }
    expect(versions[0]).toBe(versions[1]);
    expect(readdirSync(join(home, 'retriever', 'scratch'))).toEqual([]);
  }, 90_000);

  test('gives a collection a re-ranker, which searches go by when they are told to, and takes it away', async () => {
    const rooms = { collection: 'whole', query: 'lamp3' };
    const job = async (jobId: string, folder: string): Promise<Job> => {
      await client.submitJob({ jobId, spec: { collection: 'whole', kind: { case: 'reranker', value: { folder } } } });
      return ended(jobId);
    };
    const infoOf = async () => (await client.listCollections({})).collections.find(({ name }) => name === 'whole')!;
    await expect(client.search({ ...rooms, rerank: 5 })).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'whole has no re-ranker; give it one, or search without',
    });
    const folder = join(home, 'cross');
    cpSync(fixture('encoders/cross'), folder, { recursive: true });
    expect(await job('rerank', folder)).toMatchObject({ state: JobState.SUCCEEDED });
    // A random one helps nobody.
    expect(await infoOf()).toMatchObject({ reranker: expect.stringMatching(/^cross-/) as string, rerankWeight: 0 });
    const plain = await client.search(rooms);
    expect(plain.hits.map(({ rerankScore }) => rerankScore)).toEqual(plain.hits.map(() => undefined));
    const { hits } = await client.search({ ...rooms, rerank: 5, limit: 5 });
    const scores = hits.map(({ rerankScore }) => rerankScore!);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores).toHaveLength(5);
    await expect(client.search({ ...rooms, rerank: 101 })).rejects.toMatchObject({ at: 'rerank' });

    // Gone behind our back: what does not need it goes on.
    rmSync(folder, { recursive: true });
    await stop();
    await start();
    expect((await infoOf()).problem).toMatch(
      /^the reranker of whole cannot be loaded, give it another: .*does not exist$/,
    );
    expect((await client.search(rooms)).hits.length).toBeGreaterThan(0);
    await expect(client.search({ ...rooms, rerank: 5 })).rejects.toMatchObject({
      code: 'failed-precondition',
      at: 'reranker',
    });
    expect(await job('no-rerank', '')).toMatchObject({ state: JobState.SUCCEEDED });
    expect(await infoOf()).toMatchObject({ reranker: '', problem: '' });
    expect(await job('bad-rerank', home)).toMatchObject({ state: JobState.FAILED });
  }, 60_000);

  test('from the queue that is wrong goes to the dead letters', async () => {
    const data = { jobId: 'bad', spec: { ingest: { path: '/none/such' } } };
    await bus.publish(createEvent('crucible.ingest.requested', { source: '/test', data }));
    await expect
      .poll(async () => (await bus.deadLetters()).map(({ reason }) => reason), { timeout: 10_000 })
      .toEqual(['path: /none/such does not exist']);
  });
});

describe('calls', () => {
  test('name what is wrong', async () => {
    await expect(client.search({ collection: 'geo', query: '' })).rejects.toMatchObject({
      code: 'invalid-input',
      at: 'query',
    });
    await expect(client.search({ collection: 'geo', query: 'x'.repeat(100_000) })).rejects.toMatchObject({
      message: 'query: it has 100000 characters; 8192 are allowed',
    });
    await expect(
      client.search({ collection: 'geo', query: 'x', filter: { year: { like: "1' OR '1" } } }),
    ).rejects.toMatchObject({ at: 'filter.year.like' });
    await expect(client.search({ collection: 'geo', query: 'x', mode: SearchMode.DENSE })).rejects.toMatchObject({
      code: 'failed-precondition',
    });
    await expect(client.search({ collection: 'none', query: 'x' })).rejects.toMatchObject({
      code: 'not-found',
      at: 'collection',
    });
    await expect(client.getDocument({ collection: 'geo' })).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('id: neither it nor a title is given') as string,
    });
    await expect(client.getDocument({ collection: 'geo', id: 'none' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(client.deleteDocuments({ collection: 'geo' })).rejects.toMatchObject({ at: 'ids' });
  });

  test('take documents and collections away', async () => {
    expect(await client.deleteDocuments({ collection: 'geo', ids: ['rivers.md', 'none'] })).toMatchObject({
      ids: ['rivers.md'],
    });
    expect((await client.search({ collection: 'geo', query: 'Rhine' })).hits).toEqual([]);
    await client.deleteCollection({ collection: 'geo' });
    await expect(client.listDocuments({ collection: 'geo' })).rejects.toMatchObject({ code: 'not-found' });
  });
});

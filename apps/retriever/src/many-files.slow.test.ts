/** A million tiny files: all of them are taken in, and memory goes by what is kept of them, not by the walk. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createBus } from '@crucible/bus';
import { JobState, RetrieverService } from '@crucible/protos/retriever/v1';
import { createClient } from '@crucible/rpc';
import { createLogger } from '@crucible/service';
import { createRetrieverService } from './retriever-service.ts';
import { childrenRunning, peakMegabytes } from './testing/child-processes.ts';

const count = 1_000_000;
const perFolder = 1000;

test(`${count} files`, { timeout: 7_200_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'crucible-many-'));
  // A million files are not taken away in the time that a test has for it otherwise.
  onTestFinished(() => rm(home, { recursive: true }), 3_600_000);
  const library = join(home, 'library');
  for (let n = 0; n < count; n++) {
    const folder = join(library, String(Math.floor(n / perFolder)));
    if (n % perFolder === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${n}.txt`), n === 77_777 ? '' : `note${n} of theme${n % 97}`);
  }
  const bus = await createBus('embedded:');
  onTestFinished(() => bus.close());
  const service = await createRetrieverService({
    bus,
    home,
    store: join(home, 'knowledge'),
    log: createLogger('retriever', 'silent'),
    host: '127.0.0.1',
    port: 0,
  });
  onTestFinished(() => service.close(5000));
  const client = createClient(RetrieverService, service.target, { deadlineMs: 600_000 });
  onTestFinished(() => client.close());

  const before = peakMegabytes(process.pid);
  const ingest = { case: 'ingest' as const, value: { path: library } };
  await client.submitJob({ jobId: 'many', spec: { collection: 'many', kind: ingest } });
  const ended = async () => (await client.getJob({ jobId: 'many' })).job!;
  await expect
    .poll(async () => (await ended()).state, { timeout: 7_000_000, interval: 2000 })
    .toBeGreaterThanOrEqual(JobState.SUCCEEDED);
  const job = await ended();
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, total: BigInt(count), failed: 1n });
  expect(job.ingested).toBe(BigInt(count - 1));
  expect(job.failures.map(({ message }) => message)).toEqual(['library/77/77777.txt: there is no text in it']);

  const peak = (module: string): number => Math.max(...childrenRunning(module).map(peakMegabytes));
  const figures = {
    service: peakMegabytes(process.pid) - before,
    reader: peak('reader-worker.ts'),
    engine: peak('engine-worker.ts'),
  };
  const told = JSON.stringify(figures);
  expect(figures.service, told).toBeLessThan(500);
  expect(figures.reader, told).toBeLessThan(600);
  // It keeps the documents: about four kilobytes of each.
  expect(figures.engine, told).toBeLessThan(1000 + (5 * count) / 1000);

  const { hits } = await client.search({ collection: 'many', query: 'note123456' });
  expect(hits.map(({ document }) => document!.id)).toEqual(['library/123/123456.txt']);
});

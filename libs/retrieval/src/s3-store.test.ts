/**
 * Collections in an object store over HTTP: moto, which answers as S3 does, where Python has it (pip install moto[server]).
 * Without, the tests are skipped by name.
 */
import { spawnSync } from 'node:child_process';
import { connect } from '@lancedb/lancedb';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort, startProgram } from '@crucible/testing';
import type { Collection } from './collection.ts';
import { KnowledgeBase } from './knowledge-base.ts';
import { prepareSource } from './prepare-source.ts';
import { PassageStore } from './store/passage-store.ts';

const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';
const hasMoto = spawnSync(python, ['-c', 'import moto.server'], { stdio: 'ignore' }).status === 0;
const name = hasMoto
  ? 'collections in S3'
  : 'collections in S3 (skipped: CRUCIBLE_PYTHON, or python3, does not have moto)';

/** The usual variables of AWS, for this process and those that it starts. */
async function startStore(): Promise<string> {
  const port = await freePort();
  const server = startProgram(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)]);
  await server.says(/Running on/, 60_000);
  const endpoint = `http://127.0.0.1:${port}`;
  const variables = {
    AWS_ENDPOINT: endpoint,
    AWS_ALLOW_HTTP: 'true',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const before = Object.keys(variables).map((key) => [key, process.env[key]] as const);
  Object.assign(process.env, variables);
  onTestFinished(() => {
    for (const [key, value] of before)
      if (value === undefined) Reflect.deleteProperty(process.env, key);
      else process.env[key] = value;
  });
  expect((await fetch(`${endpoint}/books`, { method: 'PUT' })).status).toBe(200);
  return 's3://books/knowledge';
}

async function open(uri: string): Promise<Collection> {
  const base = await KnowledgeBase.open(uri, { refreshInterval: 0 });
  onTestFinished(() => base.close());
  return base.getOrCreate('zoo');
}

async function put(collection: Collection, id: string, text: string): Promise<void> {
  await collection.ingest([await prepareSource(Buffer.from(text), id)]);
}

const found = async (collection: Collection, query: string): Promise<string[]> =>
  (await collection.search({ query })).hits.map(({ record }) => record.id);

describe.skipIf(!hasMoto)(name, () => {
  test('are written, searched, changed by several at once, and taken away', { timeout: 120_000 }, async () => {
    const uri = await startStore();
    const first = await open(uri);
    await put(first, 'cat.md', '# Cats\n\nThe cat sleeps on the roof.');
    await put(first, 'zh.md', '# 熊猫\n\n大熊猫生活在中国四川的山区。');
    const second = await open(uri);
    expect(await found(second, '大熊猫')).toEqual(['zh.md']);
    await put(second, 'cat.md', 'Only lions here.');
    expect([await found(first, 'roof'), await found(first, 'lions')]).toEqual([[], ['cat.md']]);

    const writers = await Promise.all(Array.from({ length: 4 }, () => open(uri)));
    const texts = writers.map((_writer, i) => `# T${i}\n\n${'Long sentence here. '.repeat(200 * (i + 1))}`);
    await Promise.all(writers.map((writer, i) => put(writer, 'same.md', texts[i]!)));
    const fresh = await open(uri);
    expect(texts).toContain(fresh.get('same.md').text);
    const store = (await PassageStore.open(await connect(uri), 'zoo'))!;
    expect(await store.countRows()).toBe(fresh.info.documents + fresh.info.passages);

    await first.remove(['same.md']);
    expect(fresh.list().map(({ id }) => id)).toContain('same.md');
    await fresh.refresh();
    expect(fresh.list().map(({ id }) => id)).toEqual(['cat.md', 'zh.md']);
    const base = await KnowledgeBase.open(uri);
    await base.drop('zoo');
    expect(await base.names()).toEqual([]);
    await base.close();
  });

  test('that are not there are told', { timeout: 60_000 }, async () => {
    await startStore();
    await expect(KnowledgeBase.open('s3://nowhere/x')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the store s3://nowhere/x cannot be opened: The specified bucket does not exist',
    });
  });
});

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import type { Collection, CollectionOptions } from './collection.ts';
import { KnowledgeBase } from './knowledge-base.ts';
import { type PreparedSource, prepareSource, type PrepareOptions } from './prepare-source.ts';
import { PassageStore } from './store/passage-store.ts';

async function openBase(
  uri = temporaryFolder(),
  options: CollectionOptions = { refreshInterval: 0 },
): Promise<KnowledgeBase> {
  const base = await KnowledgeBase.open(uri, options);
  onTestFinished(() => base.close());
  return base;
}

const source = (name: string, text: string, options?: PrepareOptions): Promise<PreparedSource> =>
  prepareSource(Buffer.from(text), name, options);

async function put(collection: Collection, name: string, text: string, options?: PrepareOptions): Promise<void> {
  await collection.ingest([await source(name, text, options)]);
}

const found = async (collection: Collection, query: string, more: object = {}): Promise<string[]> =>
  (await collection.search({ query, ...more })).hits.map(({ record }) => record.id);

const animals = {
  'cat.md': '# Cats\n\nThe cat sleeps on the warm roof. It hunts mice at night.\n\n## Food\n\nCats eat fish and mice.',
  'dog.md': '# Dogs\n\nThe dog guards the house and barks at strangers.',
  'zh.md': '# 熊猫\n\n大熊猫生活在中国四川的山区。它们主要吃竹子。\n\n## 保护\n\n熊猫是受到保护的动物。',
};

async function zoo(uri?: string): Promise<Collection> {
  const collection = await (await openBase(uri)).getOrCreate('zoo');
  for (const [name, text] of Object.entries(animals))
    await put(collection, name, text, { metadata: { lang: name === 'zh.md' ? 'zh' : 'en' } });
  return collection;
}

describe('a search', () => {
  test('finds the passage in English and Chinese, with the exact characters of its source', async () => {
    const collection = await zoo();
    for (const [query, id, words] of [
      ['what do cats eat?', 'cat.md', ['Cats', 'eat']],
      ['大熊猫吃什么', 'zh.md', ['大熊猫', '吃']],
    ] as const) {
      const { hits } = await collection.search({ query });
      const [hit] = hits;
      expect(hit!.record.id).toBe(id);
      expect(hit!.text).toBe(animals[id].slice(hit!.start, hit!.end));
      expect(hit!.highlights.map(({ start, end }) => hit!.text.slice(start, end))).toEqual(
        expect.arrayContaining([...words]),
      );
      expect(hit!.score).toBe(1);
    }
  });

  test('gives headings and neighbours', async () => {
    const collection = await zoo();
    const [hit] = (await collection.search({ query: 'fish', neighbours: 3 })).hits;
    expect(hit).toMatchObject({ heading: 'Cats > Food', ordinal: 1, after: [] });
    expect(hit!.before.map(({ text }) => text)).toEqual([
      '# Cats\n\nThe cat sleeps on the warm roof. It hunts mice at night.',
    ]);
  });

  test('goes by phrases in quotes, with or without spaces in the script', async () => {
    const collection = await zoo();
    expect(await found(collection, '"guards the house"')).toEqual(['dog.md']);
    expect(await found(collection, '"house guards"')).toEqual([]);
    expect(await found(collection, '"主要吃竹子"')).toEqual(['zh.md']);
    expect(await found(collection, '"竹子主要"')).toEqual([]);
  });

  test('keeps to a filter', async () => {
    const collection = await zoo();
    expect(await found(collection, 'cat dog 熊猫', { filter: { lang: 'zh' } })).toEqual(['zh.md', 'zh.md']);
    expect(await found(collection, 'cat', { filter: { lang: "zh' OR '1'='1" } })).toEqual([]);
  });

  test('says when nothing fits', async () => {
    const collection = await zoo();
    expect((await collection.search({ query: 'what do cats eat?' })).confidence).toBeGreaterThan(0.9);
    expect((await collection.search({ query: 'exchange rate of the dollar on the roof' })).confidence).toBeLessThan(
      0.3,
    );
    expect(await collection.search({ query: 'quantum chromodynamics' })).toMatchObject({ hits: [], confidence: 0 });
  });

  test('gives the same passage of several documents once, and names them', async () => {
    const collection = await zoo();
    await put(collection, 'copy.md', animals['dog.md']);
    const [hit, ...others] = (await collection.search({ query: 'barks at strangers' })).hits;
    expect(others).toEqual([]);
    expect([hit!.record.id, ...hit!.alsoIn].sort()).toEqual(['copy.md', 'dog.md']);
    await collection.remove([hit!.record.id]);
    expect(await found(collection, 'barks at strangers')).toEqual(hit!.alsoIn);
  });

  test.each([
    ['', {}, 'query: it is empty'],
    [' \n', {}, 'query: it is empty'],
    ['x'.repeat(100_000), {}, 'query: it has 100000 characters; 8192 are allowed'],
    ['x', { limit: 0 }, 'limit: 0 is no whole number from 1 to 1000'],
    ['x', { mode: 'magic' }, 'mode: magic does not exist; there are hybrid, lexical, dense'],
    ['x', { mode: 'dense' }, 'zoo has no embedder yet; train one, or search with the mode lexical or hybrid'],
    ['x', { filter: '1=1' }, 'filter: an object is needed'],
  ])('for %.10j with %j is refused', async (query, more, message) => {
    const collection = await zoo();
    await expect(collection.search({ query, ...more } as never)).rejects.toThrow(message);
  });

  test('for words of no script or of any is answered', async () => {
    const collection = await zoo();
    for (const query of ['?!', '\ud800', '🐼🐼', "'; DROP TABLE zoo; --", '"', '""', '\u0000'])
      await expect(collection.search({ query })).resolves.toBeDefined();
  });
});

describe('documents', () => {
  test('are replaced whole, taken out, and known again by their bytes', async () => {
    const collection = await zoo();
    const changed = await source('cat.md', 'Only lions here.');
    expect(collection.has('cat.md', changed.digest)).toBe(false);
    const [result] = await collection.ingest([changed]);
    expect(result).toMatchObject({ passages: 1, removed: [] });
    expect(collection.has('cat.md', changed.digest)).toBe(true);
    expect(await found(collection, 'fish')).toEqual([]);
    expect(await found(collection, 'lions')).toEqual(['cat.md']);
    expect(await collection.remove(['cat.md', 'none'])).toEqual(['cat.md']);
    expect(await found(collection, 'lions')).toEqual([]);
    expect(() => collection.get('cat.md')).toThrow('document cat.md does not exist in zoo');
    expect(collection.list().map(({ id }) => id)).toEqual(['dog.md', 'zh.md']);
  });

  test('are found by their title as it is now: the first of several, that the filter lets through', async () => {
    const collection = await zoo();
    expect([collection.idOf('Cats'), collection.idOf('cats')]).toEqual(['cat.md', undefined]);
    await put(collection, 'a.md', '# Cats\n\nOther cats.', { metadata: { lang: 'de' } });
    const isEnglish = ({ metadata }: { readonly metadata: Readonly<Record<string, unknown>> }): boolean =>
      metadata['lang'] === 'en';
    expect([collection.idOf('Cats'), collection.idOf('Cats', isEnglish)]).toEqual(['a.md', 'cat.md']);
    await put(collection, 'a.md', '# Tigers\n\nNo cats.');
    expect([collection.idOf('Cats'), collection.idOf('Tigers')]).toEqual(['cat.md', 'a.md']);
    await collection.remove(['cat.md', 'a.md']);
    expect([collection.idOf('Cats'), collection.idOf('Tigers'), collection.idOf('Dogs')]).toEqual([
      undefined,
      undefined,
      'dog.md',
    ]);
  });

  test('that are not in their source any more are taken out', async () => {
    const collection = await (await openBase()).getOrCreate('rows');
    const rows = (...ids: string[]): string => ids.map((id) => JSON.stringify({ id, text: `row ${id}` })).join('\n');
    await put(collection, 'r.jsonl', rows('a', 'b', 'c'));
    const [result] = await collection.ingest([await source('r.jsonl', rows('b', 'd'))]);
    expect([...result!.removed].sort()).toEqual(['r.jsonl#a', 'r.jsonl#c']);
    expect(collection.list().map(({ id }) => id)).toEqual(['r.jsonl#b', 'r.jsonl#d']);
  });

  test('keep their extracted text, their metadata, and strange ids', async () => {
    const collection = await (await openBase()).getOrCreate('odd');
    const name = `it's "a" 'b' -- ; 文件/../x.md`;
    await put(collection, name, 'Some words', { metadata: { "k'ey": "v'alue", n: 2, list: ['a'] } });
    expect(collection.get(name)).toMatchObject({
      text: 'Some words',
      passages: 1,
      record: { metadata: { "k'ey": "v'alue", n: 2, list: ['a'] } },
    });
    expect(await collection.remove([name])).toEqual([name]);
    expect(collection.info.documents).toBe(0);
  });

  test('are there after a restart, and other collections are not seen', async () => {
    const uri = temporaryFolder();
    const first = await zoo(uri);
    const before = await first.search({ query: 'mice at night' });
    const base = await openBase(uri);
    await put(await base.getOrCreate('other'), 'cat.md', 'A secret about mice.');
    const second = await base.get('zoo');
    expect((await second.search({ query: 'mice at night' })).hits).toEqual(before.hits);
    expect(await found(second, 'secret')).toEqual([]);
    expect(await base.names()).toEqual(['other', 'zoo']);
    await base.drop('other');
    await expect(base.get('other')).rejects.toThrow('collection other does not exist; there are zoo');
    for (const name of ['../zoo', 'Zoo', '', 'a'.repeat(65), "x'"])
      await expect(base.get(name)).rejects.toThrow('1 to 64 of the characters');
  });
});

describe('of several processes', () => {
  test('each sees what the others committed: no handle stays behind', async () => {
    const uri = temporaryFolder();
    const writer = await zoo(uri);
    const reader = await (await openBase(uri)).get('zoo');
    await put(writer, 'cow.md', 'The cow gives milk.');
    expect(await found(reader, 'milk')).toEqual(['cow.md']);
    await put(writer, 'cow.md', 'The cow gives butter.');
    expect([await found(reader, 'milk'), await found(reader, 'butter')]).toEqual([[], ['cow.md']]);
    await writer.remove(['cow.md']);
    expect(await found(reader, 'butter')).toEqual([]);
    // And the reader writes on top of it.
    await put(reader, 'dog.md', 'The dog is gone.');
    expect(await found(writer, 'guards')).toEqual([]);
    expect(reader.info.documents).toBe(3);
    // What another one has put in is taken out by those that have not looked since.
    await put(writer, 'fox.md', 'The fox is quick.');
    expect(await reader.remove(['fox.md'])).toEqual(['fox.md']);
    expect(await found(writer, 'fox')).toEqual([]);
  });

  test('the same document put in at once by six of them is there once', async () => {
    const uri = temporaryFolder();
    await zoo(uri);
    const collections = await Promise.all(Array.from({ length: 6 }, async () => (await openBase(uri)).get('zoo')));
    for (let round = 0; round < 3; round++) {
      // Of many lengths, so that mixed states would show.
      const texts = collections.map((_c, i) => `# T${i}\n\n${'Long sentence here. '.repeat(200 * (i + 1))}`);
      await Promise.all(collections.map((collection, i) => put(collection, 'same.md', texts[i]!)));
      const fresh = await (await openBase(uri)).get('zoo');
      const { text, passages } = fresh.get('same.md');
      expect(texts).toContain(text);
      const store = (await PassageStore.open(await connect(uri), 'zoo'))!;
      const { documents, passages: all } = fresh.info;
      expect(await store.countRows()).toBe(documents + all);
      expect(passages).toBe((await source('same.md', text)).documents[0]!.chunks.length);
    }
  });
});

test('many small commits leave few files, and readers of an old state go on', async () => {
  const uri = temporaryFolder();
  const options = { refreshInterval: 0, compactEvery: 16, keepVersionsFor: 0 };
  const collection = await (await openBase(uri, options)).getOrCreate('many');
  const reader = await (await openBase(uri, options)).getOrCreate('many');
  for (let n = 0; n < 100; n++) await put(collection, `${n % 40}.md`, `note ${n} about thing${n % 40}`);
  const store = (await PassageStore.open(await connect(uri), 'many'))!;
  expect(await store.fragments()).toBeLessThan(20);
  expect(await found(reader, 'thing7')).toEqual(['7.md']);
  expect(reader.info.documents).toBe(40);
});

test(
  'a process that is killed while it ingests leaves nothing half, doubled or lost',
  { timeout: 60_000 },
  async () => {
    const uri = temporaryFolder();
    let next = 0;
    for (let kill = 0; kill < 3; kill++) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'testing/ingest-process.ts'), uri, String(next), '1000'],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let confirmed = next - 1;
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (data: Buffer) => {
          const lines = data
            .toString()
            .trim()
            .split('\n')
            .filter((line) => line !== 'ready');
          if (lines.length > 0) confirmed = Number(lines.at(-1));
          if (confirmed >= next + 3 + kill) setTimeout(() => child.kill('SIGKILL'), 7 * kill);
        });
        child.once('exit', () => resolve());
      });
      const base = await KnowledgeBase.open(uri);
      const collection = await base.get('crash');
      const newest = Number(/Document (\d+)/.exec(collection.get(`${confirmed % 20}.md`).text)![1]);
      expect([confirmed, confirmed + 20]).toContain(newest);
      let passages = 0;
      for (const { id, source: name } of collection.list()) {
        const { text, passages: count } = collection.get(id);
        const n = Number(/Document (\d+)/.exec(text)![1]);
        expect(`${n % 20}.md`).toBe(name);
        const whole = await source(id, text);
        expect(count).toBe(whole.documents[0]!.chunks.length);
        passages += count;
        expect(await found(collection, `document${n}`, { limit: 1 })).toEqual([id]);
      }
      const store = (await PassageStore.open(await connect(uri), 'crash'))!;
      expect(await store.countRows()).toBe(collection.info.documents + passages);
      await base.close();
      next = confirmed + 1;
    }
  },
);

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Random } from '@crucible/foundation';
import { temporaryFolder } from '@crucible/testing';
import type { Collection } from '../collection.ts';
import { KnowledgeBase } from '../knowledge-base.ts';
import { BagEmbedder } from './bag-embedder.ts';
import type { Embedder } from './embedder.ts';
import { fitSearch } from './fit-search.ts';
import { loadEmbedder } from './load-embedder.ts';
import { type EmbedderSettings, isHeldOut, trainEmbedder, type TrainingPassage } from './train-embedder.ts';

/** Topics of twelve words each; a sentence has three of its topic and one of everybody's. */
const random = Random.seeded(9);
const syllables = ['ba', 'do', 'ki', 'mu', 'ne', 'po', 'ra', 'so', 'ti', 'vu'];
const word = (): string => Array.from({ length: 3 }, () => random.pick(syllables)).join('');
const topics = Array.from({ length: 12 }, () => Array.from({ length: 12 }, word));
const common = Array.from({ length: 10 }, word);
const sentence = (topic: number): string =>
  `${random.shuffled([...random.shuffled(topics[topic]!).slice(0, 3), random.pick(common)]).join(' ')}.`;
const passages: (TrainingPassage & { topic: number })[] = Array.from({ length: 144 }, (_, i) => {
  const topic = i % topics.length;
  return { document: `d${i}`, heading: '', text: Array.from({ length: 4 }, () => sentence(topic)).join(' '), topic };
});
const settings = { steps: 120, batch: 32, dimensions: 32, coarse: 16, learningRate: 0.01 };

/** Share of the ten nearest passages that are of the query's topic. */
async function precision(embedder: Embedder, dimensions: number): Promise<number> {
  const vectors = (
    await embedder.embed(
      passages.map(({ text }) => text),
      'passage',
    )
  ).map((v) => v.slice(0, dimensions));
  let right = 0;
  for (let topic = 0; topic < topics.length; topic++) {
    // One word: most passages of its topic do not have it.
    const [query] = await embedder.embed([topics[topic]![0]!], 'query');
    const scores = vectors.map((v, i) => {
      const length = Math.hypot(...v) || 1;
      return { i, score: v.reduce((sum, value, k) => sum + value * query![k]!, 0) / length };
    });
    const best = scores.sort((a, b) => b.score - a.score).slice(0, 10);
    right += best.filter(({ i }) => passages[i]!.topic === topic).length;
  }
  return right / (10 * topics.length);
}

test('words that stand together come near each other, with the first dimensions too, and the same way again', async () => {
  const losses: number[] = [];
  const untrained = await trainEmbedder(passages, { ...settings, steps: 1, learningRate: 0 });
  const trained: Embedder = await trainEmbedder(passages, settings, {
    onProgress: (_step, _steps, loss) => losses.push(loss),
  });
  expect(losses).toHaveLength(120);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.75);
  const [before, after] = [await precision(untrained, 32), await precision(trained, 32)];
  expect(after).toBeGreaterThan(0.75);
  expect(after).toBeGreaterThan(before + 0.15);
  expect(await precision(trained, 16)).toBeGreaterThan(0.65);
  expect((await trainEmbedder(passages, settings)).version).toBe(trained.version);

  const again = await loadEmbedder(trained.serialize());
  expect(again.version).toBe(trained.version);
  expect(await again.embed(['bado'], 'query')).toEqual(await trained.embed(['bado'], 'query'));
  await expect(loadEmbedder(trained.serialize().subarray(0, -3))).rejects.toThrow(
    'the embedder of the collection is damaged',
  );
});

test('a training that is broken off goes on where it was, to the same embedder; another one begins anew', async () => {
  const checkpoint = join(temporaryFolder(), 'kept');
  const whole = await trainEmbedder(passages, { ...settings, steps: 50 });
  const made: number[] = [];
  const stop = new AbortController();
  const broken = trainEmbedder(
    passages,
    { ...settings, steps: 50 },
    {
      checkpoint,
      signal: stop.signal,
      onProgress: (step) => {
        made.push(step);
        if (step === 33) stop.abort();
      },
    },
  );
  await expect(broken).rejects.toMatchObject({ code: 'cancelled' });
  const steps = async (more: Partial<EmbedderSettings> = {}): Promise<[first: number, version: string]> => {
    let first = 0;
    const onProgress = (step: number): unknown => (first ||= step);
    const { version } = await trainEmbedder(passages, { ...settings, steps: 50, ...more }, { checkpoint, onProgress });
    return [first, version];
  };
  expect(await steps()).toEqual([21, whole.version]);
  // It has come to its end: nothing is left to be made.
  expect(await steps()).toEqual([0, whole.version]);
  expect((await steps({ seed: 2 }))[0]).toBe(1);
  writeFileSync(checkpoint, readFileSync(checkpoint).subarray(0, -5));
  expect((await steps({ seed: 2 }))[0]).toBe(1);
});

test('too few passages are refused', async () => {
  await expect(trainEmbedder(passages.slice(0, 15))).rejects.toMatchObject({
    code: 'failed-precondition',
    message: 'an embedder learns from 16 passages at least; there are 15',
  });
});

test('vectors are unit sums of the terms, log(1 + count) each', () => {
  const table = Float32Array.of(3, 0, 0, 4);
  const embedder = new BagEmbedder({ terms: ['a', 'b'], table, dimensions: 2, coarse: 2 });
  const [x, y] = [3 * Math.log(3), 4 * Math.log(2)];
  const [first, second] = embedder.embedTerms(['a', 'b', 'a', 'unknown']);
  expect(first).toBeCloseTo(x / Math.hypot(x, y), 6);
  expect(second).toBeCloseTo(y / Math.hypot(x, y), 6);
  expect([...embedder.embedTerms(['unknown'])]).toEqual([0, 0]);
});

async function filled(uri: string, refreshInterval = 0): Promise<Collection> {
  const base = await KnowledgeBase.open(uri, { loadEmbedder, refreshInterval });
  onTestFinished(() => base.close());
  return base.getOrCreate('topics');
}

test('a collection is embedded in the background, other processes follow, and another embedder takes over', async () => {
  const uri = temporaryFolder();
  const [collection, other] = [await filled(uri), await filled(uri)];
  const put = (from: number, to: number): Promise<unknown> =>
    collection.ingest(
      passages.slice(from, to).map(({ document, text }) => ({
        name: document,
        digest: text,
        documents: [
          {
            id: document,
            title: '',
            text,
            metadata: {},
            chunks: [{ start: 0, end: text.length, heading: '', page: 0 }],
          },
        ],
      })),
    );
  await put(0, 100);
  const first: Embedder = await trainEmbedder(passages, settings);
  await collection.setEmbedder(first);
  expect(collection.info).toMatchObject({ embedder: first.version, embedded: 0 });
  const stopped = new AbortController();
  stopped.abort();
  expect(await collection.embedMissing({ signal: stopped.signal })).toBe(false);
  // What comes in meanwhile is embedded at once, and what was there can be found by its words.
  await put(100, 144);
  expect(collection.info.embedded).toBe(44);
  const [query] = topics[3]!;
  expect((await collection.search({ query: query! })).hits.length).toBeGreaterThan(0);
  expect(await collection.embedMissing()).toBe(true);
  expect(collection.info).toMatchObject({ embedded: 144, documents: 144, passages: 144 });

  const nearest = async (each: Collection): Promise<string[]> =>
    (await each.search({ query: query!, mode: 'dense', limit: 12 })).hits.map(({ record }) => record.id);
  const found = await nearest(collection);
  const exact = await Promise.all(
    passages.map(async ({ document, text }) => {
      const [[q], [p]] = [await first.embed([query!], 'query'), await first.embed([`\n\n${text}`], 'passage')];
      return { document, score: q!.reduce((sum, value, i) => sum + value * p![i]!, 0) };
    }),
  );
  expect(found).toEqual(
    exact
      .sort((a, b) => b.score - a.score)
      .slice(0, 12)
      .map(({ document }) => document),
  );
  expect(await nearest(other)).toEqual(found);
  expect(await nearest(await filled(uri))).toEqual(found);

  const fit = await fitSearch(collection);
  expect(passages.some(({ text }) => isHeldOut(text))).toBe(true);
  await collection.setEmbedder(collection.embedder!.withFit(fit));
  expect(await nearest(collection)).toEqual(found);
  await other.refresh();
  expect(other.embedder!.fit).toEqual(fit);
  expect(await nearest(other)).toEqual(found);
  expect((await other.search({ query: topics[2]!.slice(0, 3).join(' ') })).confidence).toBeGreaterThan(
    (await other.search({ query: `${common[0]!} unheard nonsense words` })).confidence,
  );

  const second = await trainEmbedder(passages, { ...settings, seed: 2, steps: 3 });
  await collection.setEmbedder(second);
  expect(collection.info.embedded).toBe(0);
  await collection.embedMissing();
  expect(other.info.embedder).toBe(first.version);
  await other.refresh();
  expect(other.info).toMatchObject({ embedder: second.version, embedded: 144 });
  // The old one's vectors are gone; back to it they are made anew.
  await collection.setEmbedder(await trainEmbedder(passages, settings));
  await collection.embedMissing();
  expect(await nearest(collection)).toEqual(found);
});

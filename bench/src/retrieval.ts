/**
 * The search on real questions in English and Chinese, and its speed at 50,000 passages of real books. Each embedder is
 * trained here, on the documents alone; the weight of the vectors is fitted on four fifths of the questions for the fifth that is left.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Collection,
  evaluateRetrieval,
  fitSearch,
  ingestTask,
  KnowledgeBase,
  prepareSource,
  readQuestions,
  readTrec,
  type RetrievalTask,
  trainEmbedder,
} from '@crucible/retrieval';
import type { Benchmark } from './benchmark.ts';
import { dataMissing, findData } from './data-folder.ts';

const files = {
  en: 'retrieval/xquad.en.json',
  zh: 'retrieval/xquad.zh.json',
  cacm: 'retrieval/cacm.tar.gz',
  topics: 'retrieval/topics.cacm.txt',
  qrels: 'retrieval/qrels.cacm.txt',
  train: 'corpus/train',
  validation: 'corpus/validation',
};
const wanted = 50_000;
/** Of the books: about as many tokens as make 50,000 passages of them. */
const passageTokens = 70;
const queryCount = 300;

type Legs = Readonly<Record<'bm25' | 'dense' | 'hybrid', number>>;

export const retrieval: Benchmark<
  | 'xquad_en_ndcg10'
  | 'xquad_zh_ndcg10'
  | 'cacm_map'
  | 'ingest_per_s'
  | 'query_p50_ms'
  | 'query_p99_ms'
  | 'memory_mb'
  | 'embedder_train_s'
> = {
  description:
    'the search on XQuAD (en, zh) and CACM, and its speed at 50,000 passages; CRUCIBLE_DATA names the folder of the data',
  metrics: {
    xquad_en_ndcg10: { meaning: 'XQuAD, English: nDCG@10 of words, vectors and both', unit: '' },
    xquad_zh_ndcg10: { meaning: 'XQuAD, Chinese', unit: '' },
    cacm_map: { meaning: 'CACM: MAP (published for BM25: 0.3123)', unit: '' },
    ingest_per_s: {
      meaning: 'passages a second from Markdown files to the disk and the index, with vectors',
      unit: '1/s',
    },
    query_p50_ms: { meaning: 'hybrid search of ten words, median', unit: 'ms' },
    query_p99_ms: { meaning: '99th percentile', unit: 'ms' },
    memory_mb: { meaning: 'resident memory of the process with the collection', unit: 'MB' },
    embedder_train_s: { meaning: 'training the embedder of the 50,000 passages', unit: 's' },
  },
  run: async (report) => {
    const missing = Object.values(files).find((file) => findData(file) === undefined);
    if (missing !== undefined) {
      const keys = [
        'xquad_en_ndcg10',
        'xquad_zh_ndcg10',
        'cacm_map',
        'ingest_per_s',
        'query_p50_ms',
        'query_p99_ms',
        'memory_mb',
        'embedder_train_s',
      ] as const;
      return {
        ...(Object.fromEntries(keys.map((key) => [key, null])) as Record<(typeof keys)[number], null>),
        note: dataMissing(missing),
      };
    }
    const of = (kind: keyof typeof files): string => findData(files[kind])!;
    const folder = mkdtempSync(join(tmpdir(), 'crucible-bench-'));
    const base = await KnowledgeBase.open(folder);
    try {
      // First, while the process holds nothing else
      const speed = await measureSpeed(base, [of('train'), of('validation')], report);
      const quality = async (name: string, task: RetrievalTask, figure: 'ndcg10' | 'map'): Promise<Legs> => {
        const collection = await base.getOrCreate(name);
        await ingestTask(collection, task);
        await embed(collection, report);
        const { bm25, dense, hybrid, denseWeights } = await evaluateRetrieval(collection, task);
        const legs = { bm25: bm25[figure], dense: dense![figure], hybrid: hybrid![figure] };
        report(`${name}: ${JSON.stringify({ ...legs, denseWeights })}`);
        return legs;
      };
      return {
        xquad_en_ndcg10: await quality('en', readQuestions(of('en')), 'ndcg10'),
        xquad_zh_ndcg10: await quality('zh', readQuestions(of('zh')), 'ndcg10'),
        cacm_map: await quality(
          'cacm',
          await readTrec({ archive: of('cacm'), topics: of('topics'), qrels: of('qrels') }),
          'map',
        ),
        ...speed,
      };
    } finally {
      await base.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measureSpeed(base: KnowledgeBase, folders: readonly string[], report: (line: string) => void) {
  const books = folders.flatMap((path) =>
    readdirSync(path).map((name) => ({ name, bytes: readFileSync(join(path, name)) })),
  );
  // The embedder learns from what is there before; then everything comes in with vectors.
  const sample = await base.getOrCreate('sample');
  await ingestBooks(sample, books, wanted);
  const { seconds } = await embed(sample, report);
  const collection = await base.getOrCreate('books');
  await collection.setEmbedder(sample.embedder!);
  const begun = performance.now();
  const passages = await ingestBooks(collection, books, wanted);
  const ingestSeconds = (performance.now() - begun) / 1000;
  report(`${passages} passages in ${ingestSeconds.toFixed(1)} s`);
  const texts = [...collection.passages()];
  const queries = Array.from({ length: queryCount }, (_, i) => {
    const { text } = texts[(i * 7919) % texts.length]!;
    return text.replaceAll('"', ' ').split(/\s+/).slice(4, 14).join(' ') || 'the sea';
  });
  await base.drop('sample');
  const times: number[] = [];
  for (const query of [...queries.slice(0, 50), ...queries]) {
    const start = performance.now();
    await collection.search({ query, denseWeight: 0.3 });
    times.push(performance.now() - start);
  }
  const ordered = times.slice(50).sort((a, b) => a - b);
  globalThis.gc?.();
  return {
    ingest_per_s: Math.round(passages / ingestSeconds),
    query_p50_ms: ordered[Math.floor(ordered.length * 0.5)]!,
    query_p99_ms: ordered[Math.floor(ordered.length * 0.99)]!,
    memory_mb: Math.round(process.memoryUsage().rss / 1e6),
    embedder_train_s: seconds,
  };
}

async function ingestBooks(
  collection: Collection,
  books: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  most: number,
): Promise<number> {
  let passages = 0;
  for (const { name, bytes } of books) {
    if (passages >= most) break;
    const [result] = await collection.ingest([await prepareSource(bytes, name, { size: passageTokens })]);
    passages += result!.passages;
  }
  return passages;
}

async function embed(collection: Collection, report: (line: string) => void): Promise<{ readonly seconds: number }> {
  const passages = [...collection.passages()].map(({ record, heading, text }) => ({
    document: record.id,
    heading: `${record.title}\n${heading}`,
    text,
  }));
  const begun = performance.now();
  const trained = await trainEmbedder(
    passages,
    {},
    {
      onProgress: (step, steps, loss) =>
        step % 100 === 0 && report(`embedder ${step} of ${steps}: loss ${loss.toFixed(3)}`),
    },
  );
  const seconds = (performance.now() - begun) / 1000;
  await collection.setEmbedder(trained);
  await collection.embedMissing();
  await collection.setEmbedder(collection.embedder!.withFit(await fitSearch(collection)));
  return { seconds };
}

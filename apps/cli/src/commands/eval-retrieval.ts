import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import {
  type Collection,
  EncoderEmbedder,
  evaluateRetrieval,
  ingestTask,
  KnowledgeBase,
  readBeir,
  readQuestions,
  readTrec,
  Reranker,
  type RetrievalFigures,
  type RetrievalTask,
  trainEmbedder,
} from '@crucible/retrieval';
import { note, print, printJson } from '../context.ts';
import { parseCount, parseSeed } from '../stage-options.ts';
import { table } from '../terminal/format.ts';

interface EvalRetrievalOptions {
  readonly split: string;
  readonly topics?: string;
  readonly qrels?: string;
  readonly encoder?: string;
  readonly train?: true;
  readonly reranker?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly json?: true;
}

/** Measures the search on judged queries, by the definitions of trec_eval. */
export function evalRetrievalCommand(): Command {
  return new Command('retrieval')
    .description('measure the search on a collection with judged queries')
    .argument(
      '<path>',
      "a folder in BEIR's layout (corpus.jsonl, queries.jsonl or .tsv, qrels/SPLIT.tsv), a .json file of SQuAD or HotpotQA, or a .tar.gz of pages with --topics and --qrels",
    )
    .option('--split <name>', 'which judgements of a folder', 'test')
    .option('--topics <file>', 'of an archive: its topics')
    .option('--qrels <file>', 'of an archive: its judgements')
    .option('--train', 'train an embedder on the documents, and measure vectors and both together too')
    .option('--encoder <path>', 'Hugging Face folder or ONNX file of an encoder to measure in its place')
    .option('--reranker <path>', 'Hugging Face folder or ONNX file of a cross-encoder that orders the best 20 anew')
    .option('--steps <number>', 'of the training', parseCount)
    .option('--seed <number>', 'of the training', parseSeed, 1)
    .option('--json', 'print JSON')
    .action(async (path: string, options: EvalRetrievalOptions) => {
      const task = await readTask(resolve(path), options);
      const store = mkdtempSync(join(tmpdir(), 'crucible-eval-'));
      const base = await KnowledgeBase.open(store);
      try {
        const collection = await base.getOrCreate('eval');
        await ingestTask(collection, task);
        await giveModels(collection, options);
        report(task, await evaluateRetrieval(collection, task), options);
      } finally {
        await base.close();
        rmSync(store, { recursive: true, force: true });
      }
    });
}

async function readTask(path: string, { split, topics, qrels }: EvalRetrievalOptions): Promise<RetrievalTask> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) throw new CrucibleError('not-found', `${path} does not exist`, { at: 'path' });
  if (status.isDirectory()) return readBeir(path, split);
  if (/\.json$/i.test(path)) return readQuestions(path);
  if (/\.(tar\.gz|tgz)$/i.test(path)) {
    if (topics === undefined || qrels === undefined)
      throw invalidInput(`${path}: an archive needs --topics and --qrels beside it`, { at: 'path' });
    return readTrec({ archive: path, topics: resolve(topics), qrels: resolve(qrels) });
  }
  throw invalidInput(`${path}: a folder, a .json file or a .tar.gz archive is needed`, { at: 'path' });
}

async function giveModels(collection: Collection, options: EvalRetrievalOptions): Promise<void> {
  const { encoder, reranker, train, steps, seed, json } = options;
  if (encoder !== undefined) await collection.setEmbedder(await EncoderEmbedder.load(resolve(encoder)));
  else if (train) {
    const passages = [...collection.passages()].map(({ record, text }) => ({
      document: record.id,
      heading: record.title,
      text,
    }));
    const onProgress = (step: number, all: number, loss: number): void => {
      if (!json && step % 50 === 0) note(`step ${step} of ${all}, loss ${loss.toFixed(3)}`);
    };
    const settings = { seed, ...(steps !== undefined && { steps }) };
    await collection.setEmbedder(await trainEmbedder(passages, settings, { onProgress }));
  }
  await collection.embedMissing();
  if (reranker !== undefined) await collection.setReranker(await Reranker.load(resolve(reranker)));
}

function report({ documents, queries }: RetrievalTask, figures: RetrievalFigures, options: EvalRetrievalOptions): void {
  const { denseWeights, rerankWeights, ...legs } = figures;
  if (options.json) {
    printJson({ documents: documents.length, queries: queries.length, ...legs, denseWeights, rerankWeights });
    return;
  }
  print(`${documents.length} documents, ${queries.length} queries`);
  const rows = Object.entries(legs).flatMap(([name, leg]) => {
    if (!leg) return [];
    const values = [leg.ndcg10, leg.recall2, leg.recall5, leg.recall10, leg.recall100, leg.map, leg.mrr];
    return [[name, ...values.map((value) => value.toFixed(4))]];
  });
  print(table([['', 'nDCG@10', 'R@2', 'R@5', 'R@10', 'R@100', 'MAP', 'MRR'], ...rows]));
  if (denseWeights.length > 0) print(`weight of the vectors by fold: ${denseWeights.join(', ')}`);
  if (rerankWeights.length > 0) print(`weight of the re-ranker by fold: ${rerankWeights.join(', ')}`);
}

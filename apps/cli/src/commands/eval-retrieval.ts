import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import {
  EncoderEmbedder,
  evaluateRetrieval,
  ingestTask,
  KnowledgeBase,
  readBeir,
  trainEmbedder,
} from '@crucible/retrieval';
import { note, print, printJson } from '../context.ts';
import { parseCount, parseSeed } from '../stage-options.ts';
import { table } from '../terminal/format.ts';

interface EvalRetrievalOptions {
  readonly split: string;
  readonly encoder?: string;
  readonly train?: true;
  readonly steps?: number;
  readonly seed: number;
  readonly json?: true;
}

/** Measures the search on judged queries, by the definitions of trec_eval. */
export function evalRetrievalCommand(): Command {
  return new Command('retrieval')
    .description('measure the search on a collection with judged queries, in the layout of BEIR')
    .argument('<dir>', 'folder with corpus.jsonl, queries.jsonl or queries.tsv, and qrels/SPLIT.tsv')
    .option('--split <name>', 'which judgements', 'test')
    .option('--train', 'train an embedder on the documents, and measure vectors and both together too')
    .option('--encoder <dir>', 'folder of a Hugging Face encoder to measure in its place')
    .option('--steps <number>', 'of the training', parseCount)
    .option('--seed <number>', 'of the training', parseSeed, 1)
    .option('--json', 'print JSON')
    .action(async (folder: string, options: EvalRetrievalOptions) => {
      const task = await readBeir(resolve(folder), options.split);
      const store = mkdtempSync(join(tmpdir(), 'crucible-eval-'));
      const base = await KnowledgeBase.open(store);
      try {
        const collection = await base.getOrCreate('eval');
        await ingestTask(collection, task);
        if (options.encoder !== undefined) await collection.setEmbedder(EncoderEmbedder.load(resolve(options.encoder)));
        else if (options.train) {
          const passages = [...collection.passages()].map(({ record, text }) => ({
            document: record.id,
            heading: record.title,
            text,
          }));
          const { steps, seed } = options;
          const onProgress = (step: number, all: number, loss: number): void => {
            if (!options.json && step % 50 === 0) note(`step ${step} of ${all}, loss ${loss.toFixed(3)}`);
          };
          await collection.setEmbedder(
            await trainEmbedder(passages, { seed, ...(steps !== undefined && { steps }) }, { onProgress }),
          );
        }
        await collection.embedMissing();
        const { denseWeights, ...legs } = await evaluateRetrieval(collection, task);
        const { documents, queries } = task;
        if (options.json) {
          printJson({
            split: options.split,
            documents: documents.length,
            queries: queries.length,
            ...legs,
            denseWeights,
          });
          return;
        }
        print(`${documents.length} documents, ${queries.length} queries`);
        const rows = Object.entries(legs).flatMap(([name, figures]) =>
          figures
            ? [
                [
                  name,
                  ...[figures.ndcg10, figures.recall10, figures.recall100, figures.map, figures.mrr].map((value) =>
                    value.toFixed(4),
                  ),
                ],
              ]
            : [],
        );
        print(table([['', 'nDCG@10', 'R@10', 'R@100', 'MAP', 'MRR'], ...rows]));
      } finally {
        await base.close();
        rmSync(store, { recursive: true, force: true });
      }
    });
}

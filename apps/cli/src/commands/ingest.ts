import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { JsonObject } from '@bufbuild/protobuf';
import { print, printJson, note, settingsFor } from '../context.ts';
import { accessRetriever } from '../retriever-access.ts';
import { runRetrieverJob } from '../retriever-job.ts';
import { parseCount } from '../stage-options.ts';

interface IngestOptions {
  readonly collection: string;
  readonly encoding?: string;
  readonly metadata?: JsonObject;
  readonly passageTokens?: number;
  readonly prune?: true;
  readonly json?: true;
}

/** Puts files into a collection; what is there already is left alone. */
export function ingestCommand(): Command {
  return new Command('ingest')
    .argument('<path>', 'a file, or a folder with all that is under it: md, html, pdf, docx, txt, csv, tsv, jsonl')
    .option('--collection <name>', 'where to put them', 'default')
    .option('--encoding <label>', 'of text files, for example gb18030 (default: what they say, else UTF-8)')
    .option('--metadata <json>', 'of every document, for filters: {"lang": "en"}', parseObject)
    .option('--passage-tokens <number>', 'tokens of a passage (default: 200)', parseCount)
    .option('--prune', 'take out what came from this folder earlier and is not in it any more')
    .option('--json', 'print JSON')
    .action(async (path: string, options: IngestOptions, command: Command) => {
      const { collection, encoding = '', metadata, passageTokens = 0, prune = false } = options;
      await using access = await accessRetriever(settingsFor(command));
      const value = { path: resolve(path), encoding, passageTokens, prune, ...(metadata && { metadata }) };
      const job = await runRetrieverJob(
        access,
        { collection, kind: { case: 'ingest', value } },
        { quiet: options.json === true },
      );
      const figures = {
        ingested: Number(job.ingested),
        unchanged: Number(job.unchanged),
        failed: Number(job.failed),
        skipped: Number(job.skipped),
        removed: Number(job.removed),
        passages: Number(job.passages),
      };
      if (options.json) {
        printJson({ collection, ...figures, failures: job.failures.map(({ at, message }) => ({ at, message })) });
        return;
      }
      for (const { message } of job.failures) note(`left out: ${message}`);
      const parts = [
        `${figures.ingested} files with ${figures.passages} passages`,
        ...(figures.unchanged > 0 ? [`${figures.unchanged} unchanged`] : []),
        ...(figures.removed > 0 ? [`${figures.removed} documents removed`] : []),
        ...(figures.failed > 0 ? [`${figures.failed} left out`] : []),
        ...(figures.skipped > 0 ? [`${figures.skipped} of other formats`] : []),
      ];
      print(`Ingested into ${collection}: ${parts.join(', ')}.`);
    });
}

export function parseObject(given: string): JsonObject {
  try {
    const value: unknown = JSON.parse(given);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Said below
  }
  throw new InvalidArgumentError('it must be a JSON object, for example {"lang": "en"}');
}

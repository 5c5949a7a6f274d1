import type { JsonObject } from '@bufbuild/protobuf';
import { Command, Option } from 'commander';
import { type Hit, SearchMode } from '@crucible/protos/retriever/v1';
import { print, printJson, settingsFor } from '../context.ts';
import { accessRetriever } from '../retriever-access.ts';
import { parseCount, parseSeed } from '../stage-options.ts';
import { styled } from '../terminal/format.ts';
import { parseObject } from './ingest.ts';

interface SearchOptions {
  readonly collection: string;
  readonly limit: number;
  readonly filter?: JsonObject;
  readonly mode: keyof typeof modes;
  readonly neighbours?: number;
  readonly rerank?: number;
  readonly json?: true;
}

const modes = { hybrid: SearchMode.HYBRID, lexical: SearchMode.LEXICAL, dense: SearchMode.DENSE } as const;

/** Passages with the places that they come from. */
export function searchCommand(): Command {
  return new Command('search')
    .argument('<query>', 'what is looked for; words in double quotes must stand together')
    .option('--collection <name>', 'where to look', 'default')
    .option('--limit <number>', 'passages', parseCount, 5)
    .option('--filter <json>', 'conditions on the metadata: {"lang": "en", "year": {"gte": 2020}}', parseObject)
    .addOption(new Option('--mode <mode>', 'words, vectors or both').choices(Object.keys(modes)).default('hybrid'))
    .option('--neighbours <number>', 'passages before and after each, too', parseCount)
    .option('--rerank <number>', 'passages that the re-ranker orders anew (default: what was measured)', parseSeed)
    .option('--json', 'print JSON')
    .action(async (query: string, options: SearchOptions, command: Command) => {
      const { collection, limit, filter, mode, neighbours = 0, rerank } = options;
      await using access = await accessRetriever(settingsFor(command));
      const request = {
        collection,
        query,
        limit,
        mode: modes[mode],
        neighbours,
        ...(filter && { filter }),
        ...(rerank !== undefined && { rerank }),
      };
      const { hits, confidence } = await access.client.search(request);
      if (options.json) {
        printJson({ confidence, hits: hits.map(hitJson) });
        return;
      }
      if (hits.length === 0) print('Nothing was found.');
      else if (confidence < 0.5) print('Perhaps nothing fits; the nearest are:\n');
      for (const [i, hit] of hits.entries()) print(`${i === 0 ? '' : '\n'}${shown(hit)}`);
    });
}

function hitJson({ passage, document, ...hit }: Hit): object {
  const { documentId, start, end, text, heading, page } = passage!;
  return {
    document: documentId,
    title: document!.title,
    start,
    end,
    ...(page > 0 && { page }),
    ...(heading !== '' && { heading }),
    score: hit.score,
    ...(hit.rerankScore !== undefined && { rerank_score: hit.rerankScore }),
    text,
    highlights: hit.highlights.map((span) => [span.start, span.end]),
    ...(hit.before.length > 0 && { before: hit.before.map((each) => each.text) }),
    ...(hit.after.length > 0 && { after: hit.after.map((each) => each.text) }),
    ...(hit.alsoIn.length > 0 && { also_in: hit.alsoIn }),
  };
}

function shown({ passage, before, after, highlights }: Hit): string {
  const { documentId, start, end, heading, page, text } = passage!;
  const place = [
    `${documentId}:${start}-${end}`,
    ...(page > 0 ? [`page ${page}`] : []),
    ...(heading === '' ? [] : [heading]),
  ];
  let at = 0;
  let marked = '';
  for (const span of highlights) {
    marked += text.slice(at, span.start) + styled('bold', text.slice(span.start, span.end), process.stdout);
    at = span.end;
  }
  const parts = [...before.map((each) => each.text), marked + text.slice(at), ...after.map((each) => each.text)];
  return `${styled('cyan', place.join('  '), process.stdout)}\n${parts.join('\n')}`;
}

/** Judgements in columns: query, document, number, with BEIR's head or without; or the four of TREC. */
import { invalidInput } from '@crucible/foundation';
import { eachLine } from './each-line.ts';
import type { Judgements } from './trec-metrics.ts';

/** Of the queries that have a relevant document. Errors name the file and the line. */
export async function readJudgements(path: string): Promise<Map<string, Judgements>> {
  const judgements = new Map<string, Map<string, number>>();
  await eachLine(path, (line, at) => {
    const cells = line.trim().split(/\s+/);
    const [query, document, score] = cells.length === 4 ? [cells[0], cells[2], cells[3]] : cells;
    if (query === 'query-id') return;
    if (cells.length < 3 || cells.length > 4 || !Number.isFinite(Number(score))) {
      throw invalidInput(`${at}: a query, a document and a number are needed`, { at });
    }
    const own = judgements.get(query!) ?? new Map<string, number>();
    judgements.set(query!, own.set(document!, Number(score)));
  });
  return new Map([...judgements].filter(([, own]) => [...own.values()].some((score) => score > 0)));
}

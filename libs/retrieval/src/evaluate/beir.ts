/** Collections with queries and judgements in BEIR's layout: corpus.jsonl, queries.jsonl or .tsv, qrels/SPLIT.tsv. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { eachLine } from './each-line.ts';
import { readJudgements } from './qrels.ts';
import type { Judgements } from './trec-metrics.ts';

interface BeirDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface RetrievalTask {
  readonly documents: readonly BeirDocument[];
  /** Those that were judged. */
  readonly queries: readonly { readonly id: string; readonly text: string }[];
  readonly judgements: ReadonlyMap<string, Judgements>;
}

/** Errors name the file and the line. */
export async function readBeir(folder: string, split = 'test'): Promise<RetrievalTask> {
  const documents: BeirDocument[] = [];
  await eachLine(find(folder, ['corpus.jsonl']), (line, at) => {
    const { _id: id, title = '', text = '' } = record(line, at);
    documents.push({ id: string(id, '_id', at), title: string(title, 'title', at), text: string(text, 'text', at) });
  });
  const queries = new Map<string, string>();
  const queryFile = find(folder, ['queries.jsonl', 'queries.tsv']);
  await eachLine(queryFile, (line, at) => {
    if (queryFile.endsWith('.tsv')) {
      const [id, text] = line.split('\t');
      queries.set(string(id, 'the id', at), string(text, 'the query', at));
    } else {
      const { _id: id, text } = record(line, at);
      queries.set(string(id, '_id', at), string(text, 'text', at));
    }
  });
  const names = [`qrels/${split}.tsv`, `qrels.${split}.tsv`, 'qrels.tsv', `qrels/${split}.txt`, 'qrels.txt', 'qrels'];
  const judgements = await readJudgements(find(folder, names));
  const wanted = [...judgements.keys()].map((id) => {
    const text = queries.get(id);
    if (text === undefined)
      throw invalidInput(`${queryFile}: there is no query ${id}, which is judged`, { at: queryFile });
    return { id, text };
  });
  if (wanted.length === 0) throw invalidInput(`${folder}: no query has a relevant document`, { at: folder });
  return { documents, queries: wanted, judgements };
}

function find(folder: string, names: readonly string[]): string {
  const path = names
    .map((name) => join(folder, name))
    .find((each) => statSync(each, { throwIfNoEntry: false })?.isFile());
  if (path !== undefined) return path;
  throw new CrucibleError('not-found', `${folder}: there is no ${names.slice(0, 3).join(', ')}`, { at: folder });
}

function record(line: string, at: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (reason) {
    throw invalidInput(`${at}: it is no JSON: ${(reason as Error).message}`, { at, cause: reason });
  }
  throw invalidInput(`${at}: it is no JSON object`, { at });
}

function string(value: unknown, name: string, at: string): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw invalidInput(`${at}: ${name} is missing`, { at });
}

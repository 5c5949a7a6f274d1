/**
 * A collection of TREC's time as a retrieval task: an archive with a page a document (CACM, CISI as Anserini has them), topics
 * and judgements.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { RetrievalTask } from './beir.ts';
import { readJudgements } from './qrels.ts';

export interface TrecFiles {
  /** `.tar.gz`; a document is what is between the tags of a page, and its id is the page's name without its ending. */
  readonly archive: string;
  /** `<DOC><DOCNO> 1 </DOCNO> words </DOC>` for each. */
  readonly topics: string;
  /** Four columns: topic, anything, document, judgement. */
  readonly qrels: string;
}

const mostUnpacked = 2 ** 30;

export async function readTrec({ archive, topics, qrels }: TrecFiles): Promise<RetrievalTask> {
  const documents = pagesOf(archive).map(({ name, text }) => ({
    id: basename(name).replace(/\.[^.]+$/, ''),
    title: '',
    text: text.replaceAll(/<[^>]*>/g, ' ').trim(),
  }));
  if (documents.length === 0) throw invalidInput(`${archive}: there are no pages in it`, { at: archive });
  const judgements = await readJudgements(qrels);
  const texts = read(topics)
    .toString('utf8')
    .matchAll(/<DOCNO>\s*(\S+)\s*<\/DOCNO>([\s\S]*?)<\/DOC>/g);
  const queries = [...texts]
    .map(([, id, text]) => ({ id: id!, text: text!.trim() }))
    .filter(({ id }) => judgements.has(id));
  if (queries.length === 0) throw invalidInput(`${topics}: no topic in it is judged in ${qrels}`, { at: topics });
  return { documents, queries, judgements };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (reason) {
    throw new CrucibleError('not-found', `${path} cannot be read: ${(reason as Error).message}`, { at: path });
  }
}

/** The plain files of a tar archive. */
function pagesOf(path: string): { readonly name: string; readonly text: string }[] {
  let bytes: Buffer;
  try {
    bytes = gunzipSync(read(path), { maxOutputLength: mostUnpacked });
  } catch (reason) {
    if (reason instanceof CrucibleError) throw reason;
    throw invalidInput(`${path}: it is no gzip archive, or a damaged one`, { at: path, cause: reason });
  }
  const files: { name: string; text: string }[] = [];
  const field = (at: number, from: number, length: number): string =>
    bytes.toString('latin1', at + from, at + from + length).replace(/\0[\s\S]*$/, '');
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const size = parseInt(field(at, 124, 12), 8);
    if (!Number.isInteger(size) || at + 512 + size > bytes.length)
      throw invalidInput(`${path}: it is no tar archive, or a damaged one`, { at: path });
    const type = field(at, 156, 1);
    if (type === '0' || type === '')
      files.push({ name: field(at, 0, 100), text: bytes.toString('latin1', at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** XQuAD and CACM as retrieval tasks: questions and the paragraphs or abstracts that answer them. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { RetrievalTask } from '@crucible/retrieval';

interface Squad {
  readonly data: readonly {
    readonly title: string;
    readonly paragraphs: readonly {
      readonly context: string;
      readonly qas: readonly { readonly id: string; readonly question: string }[];
    }[];
  }[];
}

/** Every paragraph is a document; of each question its own paragraph is the relevant one. Titles are not used. */
export function readXquad(path: string): RetrievalTask {
  const { data } = JSON.parse(readFileSync(path, 'utf8')) as Squad;
  const paragraphs = data.flatMap((article) => article.paragraphs);
  return {
    documents: paragraphs.map(({ context }, i) => ({ id: `p${i}`, title: '', text: context })),
    queries: paragraphs.flatMap(({ qas }) => qas.map(({ id, question }) => ({ id, text: question }))),
    judgements: new Map(
      paragraphs.flatMap(({ qas }, i) => qas.map(({ id }) => [id, new Map([[`p${i}`, 1]])] as const)),
    ),
  };
}

/** CACM as Anserini's collection has it: what is between the tags of each page. */
export function readCacm(archive: string, topics: string, qrels: string): RetrievalTask {
  const documents = filesOfTar(gunzipSync(readFileSync(archive))).flatMap(({ name, text }) => {
    const id = /CACM-\d+/.exec(name)?.[0];
    return id === undefined ? [] : [{ id, title: '', text: text.replaceAll(/<[^>]*>/g, ' ').trim() }];
  });
  const judgements = new Map<string, Map<string, number>>();
  for (const line of readFileSync(qrels, 'utf8').trim().split('\n')) {
    const [query, , document, score] = line.split(/\s+/) as [string, string, string, string];
    judgements.set(query, (judgements.get(query) ?? new Map<string, number>()).set(document, Number(score)));
  }
  const texts = readFileSync(topics, 'utf8').matchAll(/<DOCNO>\s*(\d+)\s*<\/DOCNO>([\s\S]*?)<\/DOC>/g);
  const queries = [...texts]
    .map(([, id, text]) => ({ id: id!, text: text!.trim() }))
    .filter(({ id }) => judgements.has(id));
  return { documents, queries, judgements };
}

/** The plain files of a tar archive. */
function filesOfTar(bytes: Buffer): { readonly name: string; readonly text: string }[] {
  const files: { name: string; text: string }[] = [];
  const field = (at: number, from: number, length: number): string =>
    bytes.toString('latin1', at + from, at + from + length).replace(/\0[\s\S]*$/, '');
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const size = parseInt(field(at, 124, 12), 8);
    const type = field(at, 156, 1);
    if (type === '0' || type === '')
      files.push({ name: field(at, 0, 100), text: bytes.toString('latin1', at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { KnowledgeBase } from '../knowledge-base.ts';
import { readBeir } from './beir.ts';
import { evaluateRetrieval, ingestTask } from './evaluate-retrieval.ts';

const lines = (...rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

function beir(
  qrels: string,
  queries = lines({ _id: 'q1', text: 'red fruit' }, { _id: 'q2', text: 'blue sky' }, { _id: 'q3', text: 'unjudged' }),
): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'qrels'));
  writeFileSync(
    join(folder, 'corpus.jsonl'),
    lines(
      { _id: 'a', title: 'Apple', text: 'A red fruit.' },
      { _id: 'b', title: '', text: 'The sky is blue, blue, blue.' },
      { _id: 'c', title: 'Berry', text: 'A small blue fruit.' },
    ),
  );
  writeFileSync(join(folder, 'queries.jsonl'), queries);
  writeFileSync(join(folder, 'qrels', 'test.tsv'), qrels);
  return folder;
}

test('a collection in the layout of BEIR is measured', async () => {
  const task = await readBeir(beir('query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tb\t0\nq2\tc\t2\n'));
  expect(task.queries.map(({ id }) => id)).toEqual(['q1', 'q2']);
  const base = await KnowledgeBase.open(temporaryFolder());
  onTestFinished(() => base.close());
  const collection = await base.getOrCreate('x');
  await ingestTask(collection, task);
  const { bm25, dense } = await evaluateRetrieval(collection, task);
  // a is first for q1; for q2 b is first, which is not relevant, and c second.
  expect(bm25.ndcg10).toBeCloseTo((1 + 1 / Math.log2(3)) / 2, 9);
  expect(bm25).toMatchObject({ mrr: 0.75, map: 0.75, recall10: 1, recall100: 1 });
  expect(dense).toBeUndefined();
});

test('what is wrong is named with its file and line', async () => {
  await expect(readBeir(temporaryFolder())).rejects.toThrow('there is no corpus.jsonl');
  await expect(readBeir(beir('q1\ta\tmuch\n'))).rejects.toThrow(
    /qrels\/test.tsv:1: a query, a document and a number are needed$/,
  );
  await expect(readBeir(beir('q9\ta\t1\n'))).rejects.toThrow('there is no query q9, which is judged');
  await expect(readBeir(beir('q1\ta\t0\n'))).rejects.toThrow('no query has a relevant document');
  await expect(readBeir(beir('q1\ta\t1\n', 'oops\n'))).rejects.toThrow(/queries.jsonl:1: it is no JSON/);
});

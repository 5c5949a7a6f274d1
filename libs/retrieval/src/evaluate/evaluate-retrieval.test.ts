import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { KnowledgeBase } from '../knowledge-base.ts';
import { readBeir } from './beir.ts';
import { evaluateRetrieval, ingestTask } from './evaluate-retrieval.ts';
import { readQuestions } from './question-files.ts';
import { readTrec } from './trec-files.ts';

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
  expect(bm25).toMatchObject({ mrr: 0.75, map: 0.75, recall2: 1, recall5: 1, recall10: 1, recall100: 1 });
  expect(dense).toBeUndefined();
});

test('what is wrong is named with its file and line', async () => {
  await expect(readBeir(temporaryFolder())).rejects.toThrow('there is no corpus.jsonl');
  const folder = beir('q1\ta\t1\n');
  await expect(readBeir(folder, 'dev')).rejects.toThrow('there is no qrels/dev.tsv, qrels.dev.tsv, qrels.tsv');
  await expect(readBeir(beir('q1\ta\tmuch\n'))).rejects.toThrow(
    /qrels\/test.tsv:1: a query, a document and a number are needed$/,
  );
  await expect(readBeir(beir('q9\ta\t1\n'))).rejects.toThrow('there is no query q9, which is judged');
  await expect(readBeir(beir('q1\ta\t0\n'))).rejects.toThrow('no query has a relevant document');
  await expect(readBeir(beir('q1\ta\t1\n', 'oops\n'))).rejects.toThrow(/queries.jsonl:1: it is no JSON/);
});

test('questions of SQuAD and HotpotQA are tasks, the latter in both of its layouts', () => {
  const folder = temporaryFolder();
  const write = (name: string, json: unknown): string => {
    writeFileSync(join(folder, name), JSON.stringify(json));
    return join(folder, name);
  };
  const qas = [{ id: 'x', question: 'What is red?' }];
  expect(readQuestions(write('s.json', { data: [{ title: 'T', paragraphs: [{ context: 'Apples.', qas }] }] }))).toEqual(
    {
      documents: [{ id: 'p0', title: '', text: 'Apples.' }],
      queries: [{ id: 'x', text: 'What is red?' }],
      judgements: new Map([['x', new Map([['p0', 1]])]]),
    },
  );
  const columns = [
    {
      question: 'Q1',
      context: { title: ['A', 'B'], sentences: [['One.', ' Two.'], ['Three.']] },
      supporting_facts: { title: ['A', 'A'], sent_id: [0, 1] },
    },
    {
      question: 'Q2',
      context: { title: ['A', 'B'], sentences: [['One.', ' Two.'], ['Another.']] },
      supporting_facts: { title: ['A', 'B'], sent_id: [0, 0] },
    },
  ];
  const published = columns.map(({ question, context, supporting_facts: facts }, i) => ({
    _id: `q${i}`,
    question,
    context: context.title.map((title, k) => [title, context.sentences[k]]),
    supporting_facts: facts.title.map((title, k) => [title, facts.sent_id[k]]),
  }));
  const task = readQuestions(write('h.json', columns));
  // The same paragraph once; another one of the same title under a name of its own.
  expect(task).toEqual({
    documents: [
      { id: 'A', title: 'A', text: 'One. Two.' },
      { id: 'B', title: 'B', text: 'Three.' },
      { id: 'B (2)', title: 'B', text: 'Another.' },
    ],
    queries: [
      { id: 'q0', text: 'Q1' },
      { id: 'q1', text: 'Q2' },
    ],
    judgements: new Map([
      ['q0', new Map([['A', 1]])],
      [
        'q1',
        new Map([
          ['A', 1],
          ['B (2)', 1],
        ]),
      ],
    ]),
  });
  expect(readQuestions(write('p.json', published))).toEqual(task);

  const refused = (json: unknown): (() => unknown) => {
    const path = write('bad.json', json);
    return () => readQuestions(path);
  };
  expect(() => readQuestions(join(folder, 'none.json'))).toThrow(/none\.json cannot be read/);
  expect(refused([])).toThrow(/bad\.json: there are no questions in it$/);
  expect(refused({ data: [{ paragraphs: [{ qas: [] }] }] })).toThrow(
    /bad\.json: data\[0\]: paragraphs\[0\]: context: a text is needed$/,
  );
  expect(refused([{ question: 'Q', context: 3 }])).toThrow(/\[0\]: context: titles with their sentences are needed$/);
  expect(refused([{ ...columns[0], supporting_facts: { title: ['C'] } }])).toThrow(
    /\[0\]: supporting_facts: none of its titles is one of context$/,
  );
});

/** A tar archive of small files, as tar writes it. */
function tar(files: Readonly<Record<string, string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
    head.write('0', 156);
    const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    body.write(text);
    return [head, body];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

test('an archive of pages with topics and judgements is a task', async () => {
  const folder = temporaryFolder();
  const path = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const archive = path(
    'c.tar.gz',
    tar({ 'c/D-1.html': '<html><pre>One <b>two</b></pre></html>', 'c/D-2.html': 'Three' }),
  );
  const topics = path('t', '<DOC>\n<DOCNO> 1 </DOCNO>\nWhat is\none?\n</DOC>\n<DOC>\n<DOCNO>2</DOCNO> x</DOC>');
  const qrels = path('q', '1 0 D-1 1\n2 0 D-1 0\n');
  expect(await readTrec({ archive, topics, qrels })).toEqual({
    documents: [
      { id: 'D-1', title: '', text: 'One  two' },
      { id: 'D-2', title: '', text: 'Three' },
    ],
    queries: [{ id: '1', text: 'What is\none?' }],
    judgements: new Map([['1', new Map([['D-1', 1]])]]),
  });
  const bad = path('b.tar.gz', 'no');
  await expect(readTrec({ archive: bad, topics, qrels })).rejects.toThrow('it is no gzip archive, or a damaged one');
  const half = path('h.tar.gz', gzipSync(Buffer.alloc(700, 'x')));
  await expect(readTrec({ archive: half, topics, qrels })).rejects.toThrow('it is no tar archive, or a damaged one');
  await expect(readTrec({ archive, topics, qrels: path('q3', '7 0 D-1 1') })).rejects.toThrow(
    'no topic in it is judged in',
  );
  await expect(readTrec({ archive, topics, qrels: join(folder, 'none') })).rejects.toMatchObject({ code: 'not-found' });
});

import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { crucible } from './testing/crucible.ts';

test('documents are put in, found with their places, listed and removed', { timeout: 120_000 }, async () => {
  const home = temporaryFolder();
  const docs = join(home, 'docs');
  mkdirSync(docs);
  const guide = '# Tea\n\nGreen tea is steeped at 75 degrees.\n\n# Coffee\n\nCoffee is brewed at 95 degrees.\n';
  writeFileSync(join(docs, 'guide.md'), guide);
  writeFileSync(join(docs, 'zh.txt'), '绿茶用七十五度的水冲泡。');
  writeFileSync(join(docs, 'bad.pdf'), 'no pdf');
  const run = (...args: string[]) => crucible(['--home', home, ...args]);

  const ingested = await run('ingest', docs, '--metadata', '{"kind": "drink"}', '--json');
  expect(ingested.stderr).toBe('');
  expect(JSON.parse(ingested.stdout)).toMatchObject({
    collection: 'default',
    ingested: 2,
    failed: 1,
    passages: 3,
    failures: [{ at: 'docs/bad.pdf', message: expect.stringContaining('docs/bad.pdf: it is a damaged PDF') as string }],
  });
  const found = JSON.parse(
    (await run('search', 'how hot for green tea?', '--filter', '{"kind": "drink"}', '--json')).stdout,
  ) as {
    hits: { document: string; start: number; end: number; text: string }[];
  };
  expect(found.hits[0]).toMatchObject({
    document: 'docs/guide.md',
    text: guide.slice(found.hits[0]!.start, found.hits[0]!.end),
  });
  unlinkSync(join(docs, 'zh.txt'));
  expect((await run('ingest', docs, '--metadata', '{"kind": "drink"}', '--prune')).stdout).toBe(
    'Ingested into default: 0 files with 0 passages, 1 unchanged, 1 documents removed, 1 left out.\n',
  );
  const missing = await run('search', 'tea', '--collection', 'other');
  expect([missing.code, missing.stderr]).toEqual([2, 'crucible: collection other does not exist; there are default\n']);
});

test('a search is measured on judged questions, as a table or as JSON', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'questions.json');
  const context = { title: ['Tea', 'Coffee'], sentences: [['Green tea likes water.'], ['Coffee is hot.']] };
  const questions = [
    { question: 'What likes water?', context, supporting_facts: { title: ['Tea'], sent_id: [0] } },
    { question: 'What has coffee got?', context, supporting_facts: { title: ['Coffee'], sent_id: [0] } },
  ];
  writeFileSync(path, JSON.stringify(questions));
  const { stdout } = await crucible(['eval', 'retrieval', path, '--split', 'dev', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ documents: 2, queries: 2, bm25: { ndcg10: 1, recall2: 1, map: 1 } });
  expect((await crucible(['eval', 'retrieval', path])).stdout).toMatch(
    /^2 documents, 2 queries\n +nDCG@10 .*\nbm25 +1\.0000/,
  );
  const wrong = await crucible(['eval', 'retrieval', join(folder, 'none.zip')]);
  expect([wrong.code, wrong.stderr]).toEqual([2, `crucible: ${join(folder, 'none.zip')} does not exist\n`]);
  writeFileSync(join(folder, 'x.tar.gz'), '');
  expect((await crucible(['eval', 'retrieval', join(folder, 'x.tar.gz')])).stderr).toContain(
    'x.tar.gz: an archive needs --topics and --qrels beside it',
  );
});

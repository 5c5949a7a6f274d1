import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trecFigures } from './trec-metrics.ts';

interface Reference {
  readonly qrels: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly run: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

test('figures are those of trec_eval, with ties, grades and documents that are not judged', () => {
  const path = join(import.meta.dirname, '../../fixtures/trec-eval.json');
  const { qrels, run, figures } = JSON.parse(readFileSync(path, 'utf8')) as Reference;
  expect(Object.keys(figures)).toHaveLength(27);
  for (const [query, expected] of Object.entries(figures)) {
    const ranking = Object.entries(run[query]!).map(([id, score]) => ({ id, score }));
    const own = trecFigures(ranking, new Map(Object.entries(qrels[query]!)));
    expect(own.ndcg10).toBeCloseTo(expected['ndcg_cut_10']!, 9);
    expect(own.recall10).toBeCloseTo(expected['recall_10']!, 9);
    expect(own.recall100).toBeCloseTo(expected['recall_100']!, 9);
    expect(own.map).toBeCloseTo(expected['map']!, 9);
    expect(own.mrr).toBeCloseTo(expected['recip_rank']!, 9);
  }
});

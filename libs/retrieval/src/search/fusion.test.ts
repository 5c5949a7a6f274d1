import { expect, test } from 'vitest';
import { Random } from '@crucible/foundation';
import { fitFitModel, fitProbability } from './confidence.ts';
import {
  type Candidate,
  fitDenseWeight,
  fitRerankWeight,
  fuse,
  fuseReranked,
  type JudgedQuery,
  type JudgedReranking,
} from './fusion.ts';

test('scores are the weighted sum of both legs, each brought to 0 … 1', () => {
  const candidates = [
    { slot: 0, lexical: 8, dense: 0.2 },
    { slot: 1, lexical: 4, dense: 0.6 },
    { slot: 2, lexical: 0, dense: 0.4 },
  ];
  expect(fuse(candidates, 0.25).map(({ slot, score }) => [slot, Number(score.toFixed(6))])).toEqual([
    [0, 0.75],
    [1, 0.625],
    [2, 0.125],
  ]);
  expect(fuse(candidates, 1).map(({ slot }) => slot)).toEqual([1, 2, 0]);
  expect(fuse([], 0.5)).toEqual([]);
  expect(fuse([{ slot: 7, lexical: 0, dense: 0 }], 0.5)).toMatchObject([{ slot: 7, score: 0 }]);
});

const random = Random.seeded(2);
/** Queries whose relevant passage the legs see with noise. */
const queries = (lexicalNoise: number, denseNoise: number): JudgedQuery[] =>
  Array.from({ length: 300 }, () => ({
    candidates: Array.from({ length: 20 }, (_, slot): Candidate => ({
      slot,
      lexical: Math.max(0, 5 + (slot === 0 ? 3 : 0) + lexicalNoise * random.normal()),
      dense: (slot === 0 ? 0.3 : 0) + denseNoise * random.normal(),
    })),
    isRelevant: (slot) => slot === 0,
  }));

test('the weight of a leg goes by what it knows', () => {
  expect(fitDenseWeight(queries(1, 3))).toBe(0);
  expect(fitDenseWeight(queries(4, 0.05))).toBeGreaterThan(0.5);
  const both = fitDenseWeight(queries(1.5, 0.15));
  expect(both).toBeGreaterThan(0.1);
  expect(both).toBeLessThan(0.9);
  expect(fitDenseWeight([])).toBe(0);
});

test('a re-ranker orders the first of a search anew, and the others stay behind them', () => {
  const fused = [0.9, 0.7, 0.5, 0.2].map((score, slot) => ({ slot, score, lexical: score, dense: 0 }));
  const ranked = fuseReranked(fused, [-4, 2, 0], 0.5);
  expect(ranked.map(({ slot, score, reranked }) => [slot, Number(score.toFixed(6)), reranked])).toEqual([
    [1, 0.75, 2],
    [0, 0.5, -4],
    [2, 0.333333, 0],
    [3, 0, undefined],
  ]);
  expect(fuseReranked(fused, [], 1).map(({ slot }) => slot)).toEqual([0, 1, 2, 3]);
});

test('the weight of a re-ranker goes by what it knows', () => {
  const rerankings = (noise: number): JudgedReranking[] =>
    queries(4, 1).map(({ candidates, isRelevant }) => {
      const fused = fuse(candidates, 0);
      const scores = fused.map(({ slot }) => (slot === 0 ? 3 : 0) + noise * random.normal());
      return { fused, scores, isRelevant };
    });
  expect(fitRerankWeight(rerankings(0.5))).toBeGreaterThan(0.5);
  expect(fitRerankWeight(rerankings(100))).toBe(0);
});

test('the probability of a fit is a logistic regression on its signs', () => {
  const truth = { bias: -4, coverage: 6, similarity: 3 };
  const examples = Array.from({ length: 4000 }, () => {
    const signs = { coverage: random.uniform(), similarity: random.uniform() };
    return { signs, fits: random.uniform() < fitProbability(truth, signs) };
  });
  const fitted = fitFitModel(examples);
  expect(fitted.bias).toBeCloseTo(truth.bias, 0);
  expect(fitted.coverage).toBeCloseTo(truth.coverage, 0);
  expect(fitted.similarity).toBeCloseTo(truth.similarity, 0);
  // The score equations of maximum likelihood hold, but for the decay.
  const residual = examples.reduce((sum, { signs, fits }) => sum + fitProbability(fitted, signs) - (fits ? 1 : 0), 0);
  expect(Math.abs(residual)).toBeLessThan(0.1);
  expect(Number.isFinite(fitFitModel(examples.filter(({ fits }) => fits)).bias)).toBe(true);
});

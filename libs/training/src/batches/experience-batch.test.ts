import '@crucible/testing';
import { expect, it } from 'vitest';
import { type ExperienceBatch, experienceBatch, experienceParts, type Learned } from './experience-batch.ts';

function sample(prompt: number[], response: number[], offset: number): Learned {
  const column = (base: number): Float32Array => Float32Array.from(response, (_, t) => base + offset + t);
  return {
    prompt,
    response,
    logProbabilities: column(100),
    referenceLogProbabilities: column(200),
    values: column(300),
    advantages: column(400),
    returns: column(500),
    score: 0,
  };
}

const samples = [sample([1, 2], [3, 4], 0), sample([5], [6, 7, 8], 10)];

it('puts beside every response token what was worked out for it, and where the token before it lies', () => {
  const batch = experienceBatch(samples, { time: 6, pad: 0 });
  const first = (name: string): number[] => Array.from(batch[name]!.data.slice(0, 5));
  expect(first('targets')).toEqual([3, 4, 6, 7, 8]);
  expect(first('at').map((place) => batch.ids.data[place])).toEqual([2, 3, 5, 6, 7]);
  expect(first('oldLogProbabilities')).toEqual([100, 101, 110, 111, 112]);
  expect(first('oldValues')).toEqual([300, 301, 310, 311, 312]);
  expect(first('advantages')).toEqual([400, 401, 410, 411, 412]);
  expect(first('returns')).toEqual([500, 501, 510, 511, 512]);
});

it('weighs all response tokens of the minibatch the same, and padding nothing', () => {
  const weights = Array.from(experienceBatch(samples, { time: 6, pad: 0 }).weights.data);
  expect(weights.slice(0, 5)).toBeAllClose([0.2, 0.2, 0.2, 0.2, 0.2]);
  expect(weights.slice(5).every((weight) => weight === 0)).toBe(true);
});

it('divides into parts of a few rows that hold the same tokens with the same weights', () => {
  const many = Array.from({ length: 9 }, (_, i) => sample([1, 2], [3 + i, 4], 10 * i));
  const whole = experienceBatch(many, { time: 4, pad: 0 });
  const parts = experienceParts(whole);
  expect(parts.map(({ ids }) => ids.shape)).toEqual([
    [4, 4],
    [4, 4],
    [4, 4],
  ]);
  const known = ({ weights, ...batch }: ExperienceBatch): number[][] =>
    Array.from(weights.data, (weight, i) => [
      batch.ids.data[batch.at.data[i]!]!,
      batch.targets.data[i]!,
      batch.oldLogProbabilities.data[i]!,
      batch.oldValues.data[i]!,
      batch.advantages.data[i]!,
      batch.returns.data[i]!,
      weight,
    ]).filter((columns) => columns.at(-1)! > 0);
  const sorted = (rows: number[][]): number[][] => rows.sort((a, b) => a[2]! - b[2]! || a[0]! - b[0]!);
  expect(sorted(parts.flatMap(known))).toEqual(sorted(known(whole)));
});

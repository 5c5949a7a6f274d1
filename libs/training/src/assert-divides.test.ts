import { expect, it } from 'vitest';
import { assertDivides } from './assert-divides.ts';
import { resolvePreset } from './forge/presets.ts';
import { pretrain } from './pretrain.ts';
import { tinyLlamaConfig } from '@crucible/testing';

it.each([
  [12, 3, true],
  [12, 12, true],
  [12, 5, false],
  [4, 8, false],
  [12, 0, false],
  [0, 1, false],
  [3, 1.5, false],
  [2.5, 1, false],
])('%d rows into %d parts: %s', (rows, microBatches, divides) => {
  const check = (): void => assertDivides('pretrain', { rows, microBatches }, 'rows', 'microBatches');
  if (divides) expect(check).not.toThrow();
  else expect(check).toThrow(`pretrain: ${rows} rows do not divide into ${microBatches} microBatches`);
});

it('holds for every stage whose batches are cut, where the options are read', () => {
  expect(() => resolvePreset('smoke', { pretrain: { microBatches: 3 } })).toThrow(
    'pretrain: 4 rows do not divide into 3 microBatches',
  );
  expect(() => resolvePreset('smoke', { sft: { microBatches: 4 } })).toThrow(
    'sft: 2 rows do not divide into 4 microBatches',
  );
  expect(() => resolvePreset('smoke', { reward: { microBatches: 3 } })).toThrow(
    'reward: 2 groups do not divide into 3 microBatches',
  );
  expect(() => resolvePreset('smoke', { ppo: { minibatches: 3 } })).toThrow(
    'ppo: 4 samples do not divide into 3 minibatches',
  );
  expect(() => resolvePreset('smoke', { ppo: { answersPerPrompt: 3 } })).toThrow(
    'ppo: 4 samples do not divide into 3 answersPerPrompt',
  );
});

it('holds before pre-training asks for its first batch', async () => {
  const source = {
    batch: () => {
      throw new Error('a batch was asked for');
    },
  };
  await expect(pretrain({ config: tinyLlamaConfig, source }, { rows: 10, microBatches: 4 })).rejects.toMatchObject({
    code: 'invalid-input',
    message: 'pretrain: 10 rows do not divide into 4 microBatches',
    at: 'pretrain.microBatches',
  });
});

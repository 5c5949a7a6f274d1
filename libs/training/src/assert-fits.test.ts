import { expect, it } from 'vitest';
import { tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { assertFits } from './assert-fits.ts';
import { sft } from './sft.ts';

it('lets rows be as long as the context', () => {
  expect(() => assertFits('sft', { time: 96 }, tinyLlamaConfig)).not.toThrow();
});

it('refuses longer ones before a batch is asked for', async () => {
  const source = {
    batch: () => {
      throw new Error('a batch was asked for');
    },
  };
  await expect(sft({ config: tinyLlamaConfig, base: tinyLlama(1), source }, { time: 97 })).rejects.toMatchObject({
    code: 'invalid-input',
    message: "sft: rows of 97 tokens are longer than the model's context of 96",
    at: 'sft.time',
  });
});

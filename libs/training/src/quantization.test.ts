/** What few bits cost a model that has learned something. */
import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { perplexity, quantizeModel } from '@crucible/inference';
import { type LlamaConfig } from '@crucible/nn';
import { tinyLlamaConfig } from '@crucible/testing';
import { expect, it } from 'vitest';
import { streamSource } from './batches/token-windows.ts';
import { pretrain } from './pretrain.ts';

/** Text of a language with a few hundred words of some letters each, the next one decided by the last in most cases. */
function text(length: number, seed: number): Int32Array {
  const grammar = Random.seeded(1);
  const words = Array.from({ length: 120 }, () =>
    Array.from({ length: grammar.integer(2, 5) }, () => grammar.integer(3, 23)),
  );
  const followers = words.map(() => Array.from({ length: 3 }, () => grammar.integer(0, words.length - 1)));
  const random = Random.seeded(seed);
  const tokens: number[] = [];
  for (let word = 0; tokens.length < length;) {
    tokens.push(...words[word]!, 2);
    word = followers[word]![random.integer(0, 2)]!;
  }
  return Int32Array.from(tokens.slice(0, length));
}

function rowsOf(tokens: Int32Array, time: number): Int32Array[] {
  return Array.from({ length: Math.floor(tokens.length / time) }, (_, i) => tokens.slice(i * time, (i + 1) * time));
}

it('gptq costs a trained model less than rounding to the nearest, and eight bits next to nothing', async () => {
  const config: LlamaConfig = { ...tinyLlamaConfig, hiddenSize: 64, intermediateSize: 96 };
  const { weights } = await pretrain(
    { config, source: streamSource(text(30_000, 2), 3) },
    { steps: 120, rows: 8, time: 64, warmupSteps: 5 },
  );
  const heldOut = rowsOf(text(2560, 4), 64);
  const calibration = rowsOf(text(5120, 5), 64);
  const costOf = async (bits: 4 | 8, method: 'rtn' | 'gptq'): Promise<number> => {
    const made = await quantizeModel(weights, config, { bits, headBits: 32, method, calibration });
    return Math.log((await perplexity(made, config, heldOut)) / before);
  };
  const before = await perplexity({ weights, quantized: new Map() }, config, heldOut);
  // It has learned the language: letters at random have a perplexity of 24.
  expect(before).toBeLessThan(5);
  const [rtn, gptq, eight] = [await costOf(4, 'rtn'), await costOf(4, 'gptq'), await costOf(8, 'rtn')];
  expect(rtn).toBeGreaterThan(0.002);
  expect(gptq).toBeLessThan(rtn);
  expect(Math.abs(eight)).toBeLessThan(0.3 * rtn);
});

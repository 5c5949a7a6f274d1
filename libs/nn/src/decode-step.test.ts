import '@crucible/testing';
import { compile, type FloatArray, floats, ints, type NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { decode, decodeStep } from './decoder.ts';
import { headSize } from './decoder-sizes.ts';
import { readDecoderFixture } from './testing/model-fixture.ts';

/** What a cache holds where nothing has been written: it must not be looked at. */
const garbage = 1e4;

describe.each(['llama-tied', 'llama-untied', 'qwen2', 'qwen2-window', 'qwen3', 'gpt2', 'gpt2-scaled'])(
  'a step of %s',
  (name) => {
    const { config, weights, expected, given } = readDecoderFixture(name);
    const size = headSize(config);
    const [first, second] = given.ids as [number[], number[]];
    const logitsAt = (row: number, t: number): Float32Array => {
      const { vocabularySize } = config;
      const start = (row * first.length + t) * vocabularySize;
      return expected.get('logits')!.data.subarray(start, start + vocabularySize);
    };
    const capacity = first.length + 3;
    const cacheShape = [2, config.keyValueHeads, capacity, size];

    const emptyCache = (): FloatArray[] =>
      Array.from({ length: config.layers }, () =>
        floats(cacheShape, new Float32Array(2 * config.keyValueHeads * capacity * size).fill(garbage)),
      );

    /** Writes one token of one row, given its keys or values of all heads. */
    function write(
      cache: readonly FloatArray[],
      row: number,
      position: number,
      values: (layer: number, head: number) => Float32Array,
    ): void {
      cache.forEach(({ data }, layer) => {
        for (let head = 0; head < config.keyValueHeads; head++) {
          data.set(values(layer, head), ((row * config.keyValueHeads + head) * capacity + position) * size);
        }
      });
    }

    /** The part of one row and head of a step's [batch, keyValueHeads · size]. */
    const stepPart =
      (arrays: readonly NdArray[], row: number) =>
      (layer: number, head: number): Float32Array => {
        const start = (row * config.keyValueHeads + head) * size;
        return (arrays[layer]!.data as Float32Array).subarray(start, start + size);
      };

    async function compileStep() {
      const types = { ids: ints([2], [0, 0]), lengths: ints([2], [0, 0]), keys: emptyCache(), values: emptyCache() };
      return compile({ weights, ...types }, ({ weights: model, ...input }) => decodeStep(model, config, input));
    }

    function expectLogits(logits: NdArray, row: number, wanted: Float32Array): void {
      const { vocabularySize } = config;
      const found = logits.data.subarray(row * vocabularySize, (row + 1) * vocabularySize);
      expect(found).toBeAllClose(wanted, { atol: 3e-5, rtol: 1e-5 });
    }

    it("gives transformers' logits of the whole sequence, token by token, from an empty cache", async () => {
      const program = await compileStep();
      const [keys, values] = [emptyCache(), emptyCache()];
      for (let t = 0; t < first.length; t++) {
        const input = { ids: ints([2], [first[t]!, second[t]!]), lengths: ints([2], [t, t]), keys, values };
        const { logits, newKeys, newValues } = await program.run({ weights, ...input });
        for (const row of [0, 1]) {
          expectLogits(logits, row, logitsAt(row, t));
          write(keys, row, t, stepPart(newKeys, row));
          write(values, row, t, stepPart(newValues, row));
        }
      }
      await program.dispose();
    });

    it('goes on after a prompt that `decode` has cached, with rows of different lengths', async () => {
      const prompt = ints([2, first.length], [...first, ...second]);
      const whole = await compile(
        { weights, prompt },
        (inputs) => decode(inputs.weights, config, { ids: inputs.prompt }).cache,
      );
      const prompted = await whole.run({ weights, prompt });
      await whole.dispose();
      const [keys, values] = [emptyCache(), emptyCache()];
      const lengths = [first.length - 1, 4];
      for (const [cache, arrays] of [
        [keys, prompted.keys],
        [values, prompted.values],
      ] as const) {
        lengths.forEach((length, row) => {
          for (let t = 0; t < length; t++) {
            write(cache, row, t, (layer, head) => {
              const start = ((row * config.keyValueHeads + head) * first.length + t) * size;
              return (arrays[layer]!.data as Float32Array).subarray(start, start + size);
            });
          }
        });
      }
      const program = await compileStep();
      const ids = ints([2], [first[lengths[0]!]!, second[lengths[1]!]!]);
      const { logits } = await program.run({ weights, ids, lengths: ints([2], lengths), keys, values });
      await program.dispose();
      lengths.forEach((length, row) => expectLogits(logits, row, logitsAt(row, length)));
    });
  },
);

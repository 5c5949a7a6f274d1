/** Every family against transformers: hidden states, logits, the gradient of every parameter, one step of AdamW. */
import '@crucible/testing';
import { createOptimizer } from '@crucible/optim';
import {
  compile,
  flatten,
  type FloatArray,
  gradient,
  type IntArray,
  ints,
  isNdArray,
  itemOf,
  logProbability,
  mean,
  mul,
  type NdArray,
  scalar,
  sliceAxis,
  type Tensor,
} from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { decode, decoderParameters, headScores, languageLogits } from './decoder.ts';
import {
  classifierLogits,
  encode,
  type EncoderHead,
  encoderParameters,
  maskedLanguageLogits,
  pool,
} from './encoder.ts';
import type { ParameterSpec, ParameterTree } from './parameters.ts';
import { fixtureNames, type ModelFixture, readDecoderFixture, readEncoderFixture } from './testing/model-fixture.ts';

const table = (rows: readonly (readonly number[])[]): IntArray => ints([rows.length, rows[0]!.length], rows.flat());

const languageModels = fixtureNames.filter((name) => /^(llama|qwen|gpt)/.test(name) && !/scalar|classifier/.test(name));
const scoreModels = ['llama-scalar', 'gpt2-classifier'];
const encoderModels = fixtureNames.filter((name) => /^(bert|roberta|minilm)/.test(name));

it('has a fixture for every kind of model', () => {
  expect([languageModels.length, scoreModels.length, encoderModels.length]).toEqual([11, 2, 5]);
});

interface Answer {
  readonly hidden: Tensor;
  readonly logits: Tensor;
  /** What is read of both where rows have padding. */
  readonly loss: Tensor;
}

/** Runs a model forward, backward and through one step of AdamW. */
async function runFixture(
  { weights, given: { adamw } }: ModelFixture<unknown>,
  inputs: Readonly<Record<string, NdArray>>,
  answer: (weights: ParameterTree<Tensor>, inputs: Readonly<Record<string, Tensor>>) => Answer,
) {
  const optimizer = createOptimizer({
    clipNorm: Infinity,
    decays: () => true,
    adamW: { beta1: adamw.betas[0], beta2: adamw.betas[1], epsilon: adamw.eps, weightDecay: adamw.weight_decay },
  });
  const signature = { weights, inputs, state: optimizer.init(weights), rate: scalar(adamw.lr), step: scalar(1) };
  const program = await compile(signature, (symbols) => {
    const { hidden, logits, loss } = answer(symbols.weights, symbols.inputs);
    const gradients = gradient(loss, symbols.weights);
    const { parameters } = optimizer.update(symbols.weights as never, gradients as never, symbols.state, symbols);
    return { hidden, logits, loss, gradients, updated: parameters };
  });
  try {
    return await program.run(signature);
  } finally {
    await program.dispose();
  }
}

type Results = Awaited<ReturnType<typeof runFixture>>;

function expectParameters({ name, expected, weights }: ModelFixture<unknown>, { gradients, updated }: Results): void {
  const nameOf = (path: string): string => (name === 'minilm' ? path.replace('bert.', '') : path);
  const learned = [...expected.keys()].filter((key) => key.startsWith('gradient.'));
  expect(learned.length).toBeGreaterThanOrEqual(20);
  const found = flatten<NdArray>(gradients, isNdArray);
  // Beside them there are only parameters that have no part in the answer.
  const used = found.filter(({ path }) => expected.has(`gradient.${nameOf(path)}`));
  expect(used.map(({ path }) => `gradient.${nameOf(path)}`).sort()).toEqual(learned.sort());
  expect(found).toHaveLength(flatten(weights, isNdArray).length);
  for (const { path, leaf } of used) {
    const wanted = expected.get(`gradient.${nameOf(path)}`)!;
    const largest = wanted.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(leaf.data, path).toBeAllClose(wanted.data, { rtol: 1e-4, atol: 1e-4 * largest + 1e-7 });
  }
  for (const { path, leaf } of flatten<NdArray>(updated, isNdArray)) {
    const wanted = expected.get(`updated.${nameOf(path)}`);
    if (wanted) expect(leaf.data, path).toBeAllClose(wanted.data, { atol: 1e-5, rtol: 1e-5 });
  }
}

function expectShapes({ weights }: ModelFixture<unknown>, specs: Iterable<ParameterSpec>): void {
  const stored = new Map(flatten<NdArray>(weights, isNdArray).map(({ path, leaf }) => [path, leaf.shape]));
  const named = new Map(Array.from(specs, ({ path, shape }) => [path, shape]));
  expect(Object.fromEntries(named)).toEqual(Object.fromEntries(stored));
}

const close = { atol: 3e-5, rtol: 1e-5 };

describe.each(languageModels)('the language model %s of transformers', (name) => {
  const fixture = readDecoderFixture(name);
  const { config, expected, given } = fixture;

  it('has the parameters that we name', () => {
    expectShapes(fixture, decoderParameters(config, { kind: 'language' }));
  });

  it('gives the same states, logits, loss and gradients, and learns the same', async () => {
    const ids = table(given.ids);
    const results = await runFixture(fixture, { ids }, (weights, { ids: tokens }) => {
      const { hidden } = decode(weights, config, { ids: tokens! });
      const logits = languageLogits(weights, config, hidden);
      const time = ids.shape[1]!;
      const predicted = logProbability(sliceAxis(logits, 1, 0, time - 1), sliceAxis(tokens!, 1, 1, time));
      return { hidden, logits, loss: mul(mean(predicted), -1) };
    });
    expect(results.hidden.data).toBeAllClose(expected.get('hidden')!.data, close);
    expect(results.logits.data).toBeAllClose(expected.get('logits')!.data, close);
    expect(itemOf(results.loss)).toBeAllClose(given.loss, { rtol: 1e-5 });
    expectParameters(fixture, results);
  });
});

/** Values of [batch, time, width] at real tokens. */
function real({ shape, data }: NdArray, lengths: readonly number[]): number[] {
  const [, time, width] = shape as [number, number, number];
  return lengths.flatMap((length, row) => [...data.subarray(row * time * width, (row * time + length) * width)]);
}

describe.each(scoreModels)('the model with scores %s of transformers', (name) => {
  const fixture = readDecoderFixture(name);
  const { config, expected, given } = fixture;
  const count = expected.get('logits')!.shape[1]!;

  it('has the parameters that we name', () => {
    expectShapes(fixture, decoderParameters(config, { kind: 'scores', count }));
  });

  it('gives the same states, scores and gradients, and learns the same', async () => {
    const [ids, shares] = [table(given.ids), expected.get('shares')!];
    const [batch, time] = ids.shape as [number, number];
    // The share of a row's score stands at its last real token.
    const spread = new Float32Array(batch * time * count);
    given.lengths.forEach((length, row) => {
      spread.set(shares.data.subarray(row * count, (row + 1) * count), (row * time + length - 1) * count);
    });
    const placed: FloatArray = { dtype: 'float32', shape: [batch, time, count], data: spread };
    const results = await runFixture(fixture, { ids, placed }, (weights, inputs) => {
      const { hidden } = decode(weights, config, { ids: inputs['ids']! });
      const logits = headScores(weights, hidden);
      return { hidden, logits, loss: mul(mean(mul(logits, inputs['placed']!)), time) };
    });
    expect(real(results.hidden, given.lengths)).toBeAllClose(real(expected.get('hidden')!, given.lengths), close);
    expect(real(results.logits, given.lengths)).toBeAllClose(real(expected.get('each')!, given.lengths), close);
    expectParameters(fixture, results);
  });
});

describe.each(encoderModels)('the encoder %s of transformers', (name) => {
  const fixture = readEncoderFixture(name);
  const { config, expected, given } = fixture;
  const logits = expected.get('logits')!;
  const head: EncoderHead =
    name === 'minilm'
      ? { kind: 'embedding' }
      : name.endsWith('masked')
        ? { kind: 'masked-language' }
        : { kind: 'classifier', labels: logits.shape[1]! };

  it('has the parameters that we name', () => {
    expectShapes(fixture, encoderParameters(config, head));
  });

  it('gives the same states, answers and gradients, and learns the same', async () => {
    const ids = table(given.ids);
    const inputs = {
      ids,
      mask: table(given.ids.map((row, i) => row.map((_id, t) => Number(t < given.lengths[i]!)))),
      types: table(given.types),
      shares: expected.get('shares')!,
    };
    const results = await runFixture(fixture, inputs, (weights, symbols) => {
      const [mask, types] = [symbols['mask']!, symbols['types']!];
      const hidden = encode(weights, config, { ids: symbols['ids']!, mask, types });
      const answer =
        head.kind === 'embedding'
          ? pool(hidden, mask, { mode: 'mean', normalize: true })
          : head.kind === 'masked-language'
            ? maskedLanguageLogits(weights, config, hidden)
            : classifierLogits(weights, config, hidden);
      return { hidden, logits: answer, loss: mean(mul(answer, symbols['shares']!)) };
    });
    expect(real(results.hidden, given.lengths)).toBeAllClose(real(expected.get('hidden')!, given.lengths), close);
    const read = (array: NdArray): readonly number[] =>
      head.kind === 'masked-language' ? real(array, given.lengths) : [...array.data];
    expect(read(results.logits)).toBeAllClose(read(logits), close);
    expectParameters(fixture, results);
  });
});

import { Random } from '@crucible/foundation';
import { compile, floats, type TensorType } from '@crucible/tensor';
import { referenceLogProbabilities } from '@crucible/testing';
import { expect, it, onTestFinished } from 'vitest';
import { sampleInGraph } from './sample-in-graph.ts';
import { chooseToken, resolveSampling } from './sampling.ts';

/** Runs the graph over rows of logits, each with its temperature and uniform number. */
async function sample(
  rows: readonly (readonly number[])[],
  temperature: readonly number[],
  uniform: readonly number[],
) {
  const type = (...shape: number[]): TensorType => ({ shape, dtype: 'float32' });
  const batch = rows.length;
  const width = rows[0]!.length;
  const program = await compile(
    { logits: type(batch, width), temperature: type(batch), uniform: type(batch) },
    (inputs) => sampleInGraph(inputs.logits, inputs.temperature, inputs.uniform),
  );
  onTestFinished(() => program.dispose());
  const { ids, logProbabilities } = await program.run({
    logits: floats([batch, width], rows.flat()),
    temperature: floats([batch], temperature),
    uniform: floats([batch], uniform),
  });
  return { ids: Array.from(ids.data), logProbabilities: Array.from(logProbabilities.data) };
}

it('chooses the token that the host chooses, with its log-probability', async () => {
  const random = Random.seeded(3);
  const rows = Array.from({ length: 300 }, () => Array.from({ length: 40 }, () => Math.fround(3 * random.normal())));
  const temperature = rows.map((_, i) => [0, 0.3, 1, 2.5][i % 4]!);
  const uniform = rows.map(() => random.integer(0, 2 ** 24 - 1) / 2 ** 24);
  const { ids, logProbabilities } = await sample(rows, temperature, uniform);
  const onHost = rows.map((row, i) =>
    chooseToken(Float32Array.from(row), resolveSampling({ temperature: temperature[i]! }), uniform[i]!),
  );
  expect(ids).toEqual(onHost.map(({ id }) => id));
  const expected = ids.map((id, i) => referenceLogProbabilities(rows[i]!, temperature[i]! || 1)[id]!);
  expect(logProbabilities).toBeAllClose(expected, { atol: 1e-5 });
});

it('gives the first token at 0 and the last possible one just below 1', async () => {
  const row = [0, 1, 2, 3];
  expect((await sample([row, row], [1, 1], [0, 1 - 2 ** -24])).ids).toEqual([0, 3]);
});

it('never chooses a token whose probability is 0', async () => {
  const row = [-1e9, 0, -1e9, 0, -1e9];
  const uniform = Array.from({ length: 64 }, (_, i) => i / 64);
  const { ids } = await sample(
    uniform.map(() => row),
    uniform.map(() => 1),
    uniform,
  );
  expect(new Set(ids)).toEqual(new Set([1, 3]));
});

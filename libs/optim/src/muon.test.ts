import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { compile, type FloatArray, floats, scalar, zerosArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { muonStep, type MuonOptions, orthogonalize } from './muon.ts';
import { normalArray } from './testing/normal-array.ts';
import { fromSingularValues, iteratedSingularValues, randomOrthogonal } from './testing/singular-values.ts';

async function runOrthogonalize(x: FloatArray, iterations?: number): Promise<FloatArray> {
  const program = await compile({ x }, (inputs) => ({ y: orthogonalize(inputs.x, iterations) }));
  const { y } = await program.run({ x });
  await program.dispose();
  return y as FloatArray;
}

async function runMuon(
  start: FloatArray,
  gradients: readonly FloatArray[],
  rate: number,
  options?: MuonOptions,
): Promise<Float32Array> {
  let current = { parameter: start, state: { momentum: zerosArray('float32', start.shape) } };
  const program = await compile({ ...current, gradient: start, rate: scalar(0) }, (inputs) =>
    muonStep(inputs.parameter, inputs.gradient, inputs.state, { rate: inputs.rate }, options),
  );
  for (const gradient of gradients) {
    current = (await program.run({ ...current, gradient, rate: scalar(rate) })) as typeof current;
  }
  await program.dispose();
  return current.parameter.data;
}

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe('orthogonalize', () => {
  const shapes = [
    ['square', 6, 6],
    ['wide', 4, 9],
    ['tall', 9, 4],
    ['a row', 1, 5],
    ['a column', 5, 1],
  ] as const;

  it.each(shapes)(
    'keeps the singular vectors of a %s matrix and iterates its singular values',
    async (_, rows, columns) => {
      const random = Random.seeded(rows * 10 + columns);
      const [u, v] = [randomOrthogonal(rows, random), randomOrthogonal(columns, random)];
      const values = Array.from({ length: Math.min(rows, columns) }, (_, k) => 3 / 2 ** k);
      const given = floats([rows, columns], Float32Array.from(fromSingularValues(u, values, v)));
      for (const iterations of [0, 1, 5]) {
        const expected = fromSingularValues(u, iteratedSingularValues(values, iterations), v);
        const { shape, data } = await runOrthogonalize(given, iterations);
        expect(shape).toEqual([rows, columns]);
        expect(data).toBeAllClose(Array.from(expected), { atol: 2e-5 });
      }
      expect((await runOrthogonalize(given)).data).toEqual((await runOrthogonalize(given, 5)).data);
    },
  );

  it('brings singular values that differ by a factor of 100 to near 1', async () => {
    const random = Random.seeded(7);
    const [u, v] = [randomOrthogonal(8, random), randomOrthogonal(8, random)];
    const values = Array.from({ length: 8 }, (_, k) => 0.02 * 100 ** (k / 7));
    const { data } = await runOrthogonalize(floats([8, 8], Float32Array.from(fromSingularValues(u, values, v))));
    // uᵀ Y v is diagonal, and its diagonal holds the new singular values.
    const singular = (i: number, j: number): number =>
      u.reduce(
        (sum, row, r) => sum + row[i]! * v.reduce((inner, column, c) => inner + data[r * 8 + c]! * column[j]!, 0),
        0,
      );
    for (let i = 0; i < 8; i++) {
      for (let j = 0; j < 8; j++) {
        if (i !== j) expect(singular(i, j)).toBeAllClose(0, { atol: 2e-5 });
      }
      expect(singular(i, i)).toBeGreaterThan(0.65);
      expect(singular(i, i)).toBeLessThan(1.25);
    }
  });

  it('leaves zeros zero', async () => {
    const zeros = zerosArray('float32', [3, 4]);
    expect((await runOrthogonalize(zeros)).data).toEqual(zeros.data);
  });
});

describe('muonStep', () => {
  /** A [2, 3] matrix with these values on its diagonal: they are its singular values, up to their signs. */
  const diagonal = (x: number, y: number): FloatArray => floats([2, 3], [x, 0, 0, 0, y, 0]);

  /** Muon with Nesterov momentum for the two numbers of `diagonal`, in float64. */
  function reference(
    start: readonly [number, number],
    gradients: readonly (readonly [number, number])[],
    rate: number,
    { momentum, weightDecay, iterations }: Required<MuonOptions>,
  ): number[] {
    const parameter = [...start];
    const buffer = [0, 0];
    for (const gradient of gradients) {
      const ahead = gradient.map((g, i) => {
        buffer[i] = momentum * buffer[i]! + g;
        return g + momentum * buffer[i];
      });
      const direction = iteratedSingularValues(ahead, iterations);
      // Liu et al. 2025, section 2.2: 0.2 √max(rows, columns)
      direction.forEach((value, i) => {
        parameter[i] = parameter[i]! - rate * (0.2 * Math.sqrt(3) * value + weightDecay * parameter[i]!);
      });
    }
    return parameter;
  }

  const gradients = [
    [1, 0.5],
    [-0.2, 0.3],
    [-3, 0.1],
    [0.4, 0.4],
  ] as const;

  it.each<[string, Required<MuonOptions>]>([
    ['Nesterov momentum', { momentum: 0.95, weightDecay: 0, iterations: 5 }],
    ['decoupled weight decay', { momentum: 0.95, weightDecay: 0.4, iterations: 5 }],
    ['another momentum and number of iterations', { momentum: 0.5, weightDecay: 0, iterations: 2 }],
  ])('follows the algorithm over four steps, with %s', async (_name, options) => {
    const [first, second] = reference([1.5, -2], gradients, 0.05, options);
    const parameter = await runMuon(
      diagonal(1.5, -2),
      gradients.map(([x, y]) => diagonal(x, y)),
      0.05,
      options,
    );
    expect(parameter).toBeAllClose([first!, 0, 0, 0, second!, 0], { atol: 3e-6 });
  });

  it('uses momentum 0.95, five iterations and no decay by default', async () => {
    const given = gradients.map(([x, y]) => diagonal(x, y));
    const defaults = { momentum: 0.95, weightDecay: 0, iterations: 5 };
    expect(await runMuon(diagonal(1, 1), given, 0.1)).toEqual(await runMuon(diagonal(1, 1), given, 0.1, defaults));
  });

  it.each([
    [16, 64],
    [64, 16],
    [32, 32],
  ])('moves a [%i, %i] matrix by a root mean square of about 0.2 times the rate', async (rows, columns) => {
    const gradient = normalArray([rows, columns], Random.seeded(3), 1e-3);
    const moved = await runMuon(zerosArray('float32', [rows, columns]), [gradient], 0.01);
    expect(rootMeanSquare(moved) / 0.01).toBeGreaterThan(0.2 * 0.65);
    expect(rootMeanSquare(moved) / 0.01).toBeLessThan(0.2 * 1.25);
  });
});

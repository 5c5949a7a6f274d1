import '@crucible/testing';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@crucible/foundation';
import { temporaryFolder } from '@crucible/testing';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { causalAttention, causalMask } from '../library/attention.ts';
import { add, cast, cos, equal, gelu, less, mul, silu, sin, sub, where } from '../library/elementwise.ts';
import { gather } from '../library/indexing.ts';
import { matmul } from '../library/linalg.ts';
import { broadcastTo, concat, reshape, sliceAxis, transpose } from '../library/movement.ts';
import { layerNorm, rmsNorm, rotary } from '../library/neural.ts';
import { cumulativeSum, max, sum } from '../library/reduction.ts';
import type { Tensor } from '../ir/tensor.ts';
import { floats, ints, isNdArray, type NdArray } from '../nd-array.ts';
import { compile, type Signature } from '../trace/compile.ts';
import { flatten } from '../tree.ts';
import { exportOnnx } from './export-onnx.ts';

const random = Random.seeded(1);
const normal = (...shape: number[]): NdArray<'float32'> =>
  floats(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

const weights = {
  table: normal(20, 12),
  norm: { weight: normal(12), bias: normal(12) },
  query: normal(12, 12),
  unused: normal(3),
};

type Symbols = Signature<typeof weights>;

/** Something of everything that a forward pass of ours is made of; ids int32 [batch, time]. */
function build({ table, norm, query }: Symbols, ids: Tensor) {
  const { graph } = ids;
  const [batch, time] = ids.shape as [number, number];
  const places = cumulativeSum(cast(equal(ids, ids), 'int32'));
  const embedded = gather(table, ids);
  const normed = layerNorm(rmsNorm(embedded, norm.weight, 1e-5), norm.weight, norm.bias, 1e-5);
  const rows = graph.constant(
    'int32',
    [batch, time],
    Int32Array.from({ length: batch * time }, (_, i) => i),
  );
  const angles = mul(
    reshape(cast(places, 'float32'), [batch * time, 1]),
    graph.constant('float32', [1, 3], Float32Array.of(1, 0.5, 0.1)),
  );
  const projected = matmul(normed, query, { transposeB: true });
  const turned = rotary(projected, rows, cos(angles), sin(angles), 2);
  const heads = (x: Tensor): Tensor => transpose(reshape(x, [batch, time, 2, 6]), [0, 2, 1, 3]);
  const attended = causalAttention(heads(turned), heads(normed), heads(embedded), causalMask(graph, time));
  const joined = reshape(transpose(attended, [0, 2, 1, 3]), [batch, time, 12]);
  const zeros = graph.constant('int32', [batch, time], new Int32Array(batch * time));
  const mixed = add(silu(joined), gelu(sub(normed, broadcastTo(gather(table, zeros), [batch, time, 12]))));
  const isLate = reshape(less(2, places), [batch, time, 1]);
  const all = concat([where(isLate, mixed, 0.5), sliceAxis(mixed, 2, 3, 7)], 2);
  return {
    each: all,
    pooled: reshape(sliceAxis(all, 1, 0, 1), [batch, 16]),
    total: sum(all, { axes: 1 }),
    most: max(all, { axes: [1, 2], keepDims: true }),
  };
}

function exported(external?: boolean): string {
  const path = join(temporaryFolder(), 'model.onnx');
  const arrays = new Map(flatten<NdArray>(weights, isNdArray).map(({ path: name, leaf }) => [name, leaf]));
  exportOnnx(path, {
    weights,
    readWeight: (name) => arrays.get(name)!.data as Float32Array,
    inputs: { ids: ['batch', 'time'] },
    sizes: [2, 6],
    build: (symbols, { ids }) => build(symbols, ids!),
    external,
  });
  return path;
}

function idsOf(batch: number, time: number): number[] {
  return Array.from({ length: batch * time }, (_, i) => (i * i + 3 * i) % 20);
}

async function run(path: string, batch: number, time: number): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(path);
  const ids = new ort.Tensor('int64', BigInt64Array.from(idsOf(batch, time), BigInt), [batch, time]);
  return session.run({ ids });
}

describe('a program in a file of its own', () => {
  it.each([
    [1, 1],
    [2, 5],
    [3, 128],
    [1, 300],
  ])('gives at a batch of %d and %d places what it gives compiled for them', async (batch, time) => {
    const ids = ints([batch, time], idsOf(batch, time));
    const program = await compile({ weights, ids }, (given) => build(given.weights, given.ids));
    const expected = await program.run({ weights, ids });
    await program.dispose();
    const found = await run(exported(), batch, time);
    for (const [name, array] of Object.entries(expected)) {
      expect(found[name]!.dims, name).toEqual(array.shape);
      expect(found[name]!.data as Float32Array, name).toBeAllClose(array.data, { atol: 2e-5, rtol: 1e-4 });
    }
  });

  it('has its weights within, or beside it, and none that nothing needs', async () => {
    const [within, beside] = [exported(), exported(true)];
    expect([existsSync(`${within}.data`), existsSync(`${beside}.data`)]).toEqual([false, true]);
    const bytes = 4 * (20 * 12 + 12 + 12 + 12 * 12);
    expect(readFileSync(`${beside}.data`).length).toBe(bytes);
    expect(readFileSync(within).length - readFileSync(beside).length).toBeGreaterThan(bytes - 500);
    const [one, other] = [await run(within, 2, 3), await run(beside, 2, 3)];
    expect(other['each']!.data).toEqual(one['each']!.data);
  });

  it('uses no operator outside of the standard', () => {
    expect(readFileSync(exported()).includes('com.microsoft')).toBe(false);
  });

  it('refuses a constant that has no meaning at other sizes', () => {
    const odd = (): void =>
      exportOnnx(join(temporaryFolder(), 'x.onnx'), {
        weights: {},
        readWeight: () => new Float32Array(),
        inputs: { ids: ['batch'] },
        sizes: [],
        build: (_weights, { ids }) => ({
          y: add(
            ids!,
            ids!.graph.constant(
              'int32',
              ids!.shape,
              Int32Array.from({ length: ids!.shape[0]! }, (_, i) => i * i),
            ),
          ),
        }),
      });
    expect(odd).toThrow('a constant depends on a size that stays open');
  });
});

import type { LinalgParams, PrimitiveParams } from '../../ir/primitive.ts';
import { sizeOf } from '../../shape.ts';
import { broadcastReader, type ReferenceArray, type ReferenceRules } from './rule.ts';

export const linalgReference: ReferenceRules<keyof LinalgParams> = {
  matmul: (y, [a, b], params) => multiplyMatrices(y, a!, b!, params),
  matmulAdd: (y, [a, b, c], params) => {
    multiplyMatrices(y, a!, b!, params);
    const read = broadcastReader(c!, y.shape);
    y.data.forEach((value, i) => (y.data[i] = value + read(i)));
  },
  matmulQuantized: (y, [x], { weight }) => {
    const matrix = { dtype: 'float32', shape: [weight.rows, weight.columns], data: weight.dequantized() } as const;
    multiplyMatrices(y, x!, matrix, { transposeA: false, transposeB: true, alpha: 1 });
  },
};

function multiplyMatrices(
  y: ReferenceArray,
  a: ReferenceArray,
  b: ReferenceArray,
  { transposeA, transposeB, alpha }: PrimitiveParams['matmul'],
): void {
  const [m, n] = y.shape.slice(-2) as [number, number];
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const batch = y.shape.slice(0, -2);
  const matrixOf = (x: ReferenceArray): ((i: number) => number) => {
    const matrices = {
      ...x,
      shape: x.shape.slice(0, -2),
      data: indices(sizeOf(x.shape.slice(0, -2))),
    } as ReferenceArray;
    return broadcastReader(matrices, batch);
  };
  const [matrixA, matrixB] = [matrixOf(a), matrixOf(b)];
  for (let i = 0; i < sizeOf(batch); i++) {
    const [baseA, baseB] = [matrixA(i) * m * k, matrixB(i) * k * n];
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let total = 0;
        for (let j = 0; j < k; j++) {
          const left = a.data[baseA + (transposeA ? j * m + row : row * k + j)]!;
          total += left * b.data[baseB + (transposeB ? column * k + j : j * n + column)]!;
        }
        y.data[(i * m + row) * n + column] = alpha * total;
      }
    }
  }
}

function indices(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}

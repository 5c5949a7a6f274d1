/** Arcs by arithmetic, for devices that have no kernels for them, or coarse ones. Exact to float32. */
import type { OnnxWriter } from '../onnx-writer.ts';
import type { OnnxRules } from '../rules/rule.ts';
import { polynomial } from './polynomial.ts';

export const inverseCircular: OnnxRules<'asin' | 'acos' | 'atan'> = {
  asin: (onnx, _tensor, [x]) => arcsine(onnx, x!),
  acos: (onnx, _tensor, [x]) => arccosine(onnx, x!),
  atan: (onnx, _tensor, [x]) => arctangent(onnx, x!),
};

/** (arctan u) / u by powers of u²: for u up to tan π/8 what is left out is below 3e-9. */
const arctangentSeries = Array.from({ length: 9 }, (_, n) => (-1) ** n / (2 * n + 1));

/** arctan x = π/2 - arctan 1/x, and arctan t = 2 arctan(t / (1 + √(1 + t²))), which brings 0 … 1 to 0 … tan π/8. */
function arctangent(onnx: OnnxWriter, x: string): string {
  const op = (name: string, ...inputs: string[]): string => onnx.op(name, inputs);
  const one = onnx.scalar(1);
  const size = op('Abs', x);
  const isSteep = op('Less', one, size);
  const t = op('Where', isSteep, op('Reciprocal', size), size);
  const u = op('Div', t, op('Add', one, op('Sqrt', op('Add', one, op('Mul', t, t)))));
  const half = op('Mul', u, polynomial(onnx, op('Mul', u, u), arctangentSeries));
  const arc = op('Add', half, half);
  const turned = op('Where', isSteep, op('Sub', onnx.scalar(Math.PI / 2), arc), arc);
  return op('Where', op('Less', x, onnx.scalar(0)), op('Neg', turned), turned);
}

/** arcsin x = arctan(x / √((1 - x)(1 + x))). */
function arcsine(onnx: OnnxWriter, x: string): string {
  const one = onnx.scalar(1);
  const squares = onnx.op('Mul', [onnx.op('Sub', [one, x]), onnx.op('Add', [one, x])]);
  return arctangent(onnx, onnx.op('Div', [x, onnx.op('Sqrt', [squares])]));
}

/** arccos x = 2 arctan √((1 - x) / (1 + x)). */
function arccosine(onnx: OnnxWriter, x: string): string {
  const one = onnx.scalar(1);
  const ratio = onnx.op('Div', [onnx.op('Sub', [one, x]), onnx.op('Add', [one, x])]);
  const half = arctangent(onnx, onnx.op('Sqrt', [ratio]));
  return onnx.op('Add', [half, half]);
}

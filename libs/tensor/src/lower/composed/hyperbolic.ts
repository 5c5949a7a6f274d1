/** Hyperbolic functions and their inverses out of exponentials and logarithms. Exact to float32. */
import type { OnnxWriter } from '../onnx-writer.ts';
import { log1p } from '../rules/elementwise.ts';
import type { OnnxRules } from '../rules/rule.ts';
import { polynomial } from './polynomial.ts';

export const hyperbolic: OnnxRules<'sinh' | 'cosh' | 'asinh' | 'acosh' | 'atanh'> = {
  sinh: (onnx, _tensor, [x]) => sine(onnx, x!),
  cosh: (onnx, _tensor, [x]) => onnx.op('Add', halvesOfExponentials(onnx, onnx.op('Abs', [x!]))),
  asinh: (onnx, _tensor, [x]) => inverseSine(onnx, x!),
  acosh: (onnx, _tensor, [x]) => inverseCosine(onnx, x!),
  atanh: (onnx, _tensor, [x]) => inverseTangent(onnx, x!),
};

/** (sinh x) / x by powers of x²: up to 1 what is left out is below 3e-8. */
const sineSeries = [1, 1 / 6, 1 / 120, 1 / 5040, 1 / 362880];

/** Beyond it x² + 1 is x², in float32. */
const large = 2 ** 13;

/** Near 0 by its series: the exponentials leave nothing of it there. */
function sine(onnx: OnnxWriter, x: string): string {
  const op = (name: string, ...inputs: string[]): string => onnx.op(name, inputs);
  const size = op('Abs', x);
  const [grown, shrunk] = halvesOfExponentials(onnx, size);
  const far = withSignOf(onnx, x, op('Sub', grown, shrunk));
  const near = op('Mul', x, polynomial(onnx, op('Mul', x, x), sineSeries));
  return op('Where', op('Less', size, onnx.scalar(1)), near, far);
}

/** log(x + √(x² + 1)). */
function inverseSine(onnx: OnnxWriter, x: string): string {
  const op = (name: string, ...inputs: string[]): string => onnx.op(name, inputs);
  const one = onnx.scalar(1);
  const size = op('Abs', x);
  const square = op('Mul', size, size);
  const above = op('Div', square, op('Add', one, op('Sqrt', op('Add', one, square))));
  return withSignOf(onnx, x, unlessLarge(onnx, size, log1p(onnx, op('Add', size, above))));
}

/** log(x + √(x² - 1)). */
function inverseCosine(onnx: OnnxWriter, x: string): string {
  const op = (name: string, ...inputs: string[]): string => onnx.op(name, inputs);
  const rest = op('Sub', x, onnx.scalar(1));
  const root = op('Sqrt', op('Mul', rest, op('Add', rest, onnx.scalar(2))));
  return unlessLarge(onnx, x, log1p(onnx, op('Add', rest, root)));
}

/** log((1 + x) / (1 - x)) / 2. */
function inverseTangent(onnx: OnnxWriter, x: string): string {
  const size = onnx.op('Abs', [x]);
  const ratio = onnx.op('Div', [onnx.op('Add', [size, size]), onnx.op('Sub', [onnx.scalar(1), size])]);
  return withSignOf(onnx, x, onnx.op('Mul', [log1p(onnx, ratio), onnx.scalar(0.5)]));
}

/** eˣ / 2 and e⁻ˣ / 2, for x that is not negative: from √eˣ, as eˣ may be beyond float32 where half of it is not. */
function halvesOfExponentials(onnx: OnnxWriter, x: string): [grown: string, shrunk: string] {
  const half = onnx.scalar(0.5);
  const root = onnx.op('Exp', [onnx.op('Mul', [x, half])]);
  const grown = onnx.op('Mul', [onnx.op('Mul', [root, half]), root]);
  return [grown, onnx.op('Div', [onnx.scalar(0.25), grown])];
}

/** log 2x where x is large. */
function unlessLarge(onnx: OnnxWriter, x: string, otherwise: string): string {
  const far = onnx.op('Add', [onnx.op('Log', [x]), onnx.scalar(Math.LN2)]);
  return onnx.op('Where', [onnx.op('Less', [onnx.scalar(large), x]), far, otherwise]);
}

function withSignOf(onnx: OnnxWriter, x: string, size: string): string {
  return onnx.op('Where', [onnx.op('Less', [x, onnx.scalar(0)]), onnx.op('Neg', [size]), size]);
}

/**
 * Sine and cosine by arithmetic: a GPU's own are exact to 2⁻¹¹ alone, less beyond ±π (WGSL, "Floating Point Evaluation"),
 * and random numbers must be the same on every device.
 *
 * x = n π/2 + r with r in ±π/4 (Cody & Waite 1980: π/2 in three parts, whose products with n are exact for |x| up to
 * some thousands), and the Taylor polynomials of both functions on r.
 */
import type { OnnxWriter } from '../onnx-writer.ts';

/** π/2 in parts of 8, 11 and 24 bits. */
const halfPi = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8] as const;

/** Coefficients of (rest of the series) / r³ and / r⁴, by powers of r². */
const sineSeries = [-1 / 6, 1 / 120, -1 / 5040, 1 / 362880];
const cosineSeries = [1 / 24, -1 / 720, 1 / 40320, -1 / 3628800];

/** sin(x + quarters π/2). */
export function circular(onnx: OnnxWriter, x: string, quarters: 0 | 1): string {
  const op = (name: string, ...inputs: string[]): string => onnx.sharedOp(name, inputs);
  const number = (value: number): string => onnx.scalar(value);
  const n = op('Floor', op('Add', op('Mul', x, number(2 / Math.PI)), number(0.5)));
  const r = halfPi.reduce((rest, part) => op('Sub', rest, op('Mul', n, number(part))), x);
  const square = op('Mul', r, r);
  const series = (coefficients: readonly number[]): string =>
    coefficients.map(number).reduceRight((sum, coefficient) => op('Add', op('Mul', sum, square), coefficient));
  const sine = op('Add', r, op('Mul', op('Mul', r, square), series(sineSeries)));
  const half = op('Sub', number(1), op('Mul', square, number(0.5)));
  const cosine = op('Add', half, op('Mul', op('Mul', square, square), series(cosineSeries)));
  // Odd quarters swap the two, the third and fourth turn the sign.
  const turned = quarters === 0 ? n : op('Add', n, number(quarters));
  const halves = op('Floor', op('Mul', turned, number(0.5)));
  const isOdd = op('Less', number(0.5), op('Sub', turned, op('Mul', halves, number(2))));
  const turns = op('Sub', halves, op('Mul', op('Floor', op('Mul', halves, number(0.5))), number(2)));
  const sign = op('Sub', number(1), op('Mul', turns, number(2)));
  return onnx.op('Mul', [onnx.op('Where', [isOdd, cosine, sine]), sign]);
}

import type { Tensor } from '../ir/tensor.ts';
import { add, exp, less, log, mul, neg, sqrt, square, sub, where } from './elementwise.ts';
import { customGradient } from './control.ts';

/** Coefficients from the highest power, for w < 5 and beyond (Giles 2012, table 5). */
const central = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
const tail = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

/** The inverse of `erf`, from -1 … 1; to about 3e-7 of the result. Its derivative is exact. */
export const erfInverse: (x: Tensor) => Tensor = customGradient(
  (x: Tensor) => {
    const w = neg(log(mul(sub(1, x), add(x, 1))));
    const isCentral = less(w, 5);
    const v = where(isCentral, sub(w, 2.5), sub(sqrt(w), 3));
    const coefficient = (i: number): Tensor => where(isCentral, central[i]!, tail[i]!);
    let polynomial = coefficient(0);
    for (let i = 1; i < central.length; i++) polynomial = add(mul(polynomial, v), coefficient(i));
    return mul(polynomial, x);
  },
  // d erf⁻¹ x = √π/2 · e^(y²) dx
  (dy, { results }) => mul(dy, mul(exp(square(results)), Math.sqrt(Math.PI) / 2)),
);

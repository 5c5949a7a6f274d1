/** Exact fractions, so that decimals of any length come out right where floating point would not. */

export interface Rational {
  readonly numerator: bigint;
  /** Positive; the fraction need not be in lowest terms. */
  readonly denominator: bigint;
}

/** Reads `12`, `-12`, `12.50` and `.5`; undefined for anything else. */
export function parseRational(text: string): Rational | undefined {
  const match = /^(-?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, decimals = ''] = match;
  if (whole === '' && decimals === '') return undefined;
  const digits = BigInt(`${whole}${decimals}`);
  return { numerator: sign === '-' ? -digits : digits, denominator: 10n ** BigInt(decimals.length) };
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function negate(a: Rational): Rational {
  return { numerator: -a.numerator, denominator: a.denominator };
}

export function subtract(a: Rational, b: Rational): Rational {
  return add(a, negate(b));
}

export function multiply(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** `b` must not be zero. */
export function divide(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

/** The greatest whole number that is not above, as Python's `//` rounds. */
export function floor(a: Rational): Rational {
  const truncated = a.numerator / a.denominator;
  const exact = truncated * a.denominator === a.numerator;
  return { numerator: exact || a.numerator > 0n ? truncated : truncated - 1n, denominator: 1n };
}

export function isZero(a: Rational): boolean {
  return a.numerator === 0n;
}

/** Whether two values differ by at most 1e-3 (as PAL compares) or by at most 1e-9 of `b` (what floating point needs). */
export function isClose(a: Rational, b: Rational): boolean {
  const difference = absolute(subtract(a, b));
  const isAtMost = (x: Rational, y: Rational): boolean => x.numerator * y.denominator <= y.numerator * x.denominator;
  return (
    isAtMost(difference, { numerator: 1n, denominator: 1000n }) ||
    isAtMost(difference, multiply(absolute(b), { numerator: 1n, denominator: 10n ** 9n }))
  );
}

/** Decimal notation with at most `places` decimals, rounded half away from zero, without trailing zeros. */
export function decimalFrom(a: Rational, places: number): string {
  const scale = 10n ** BigInt(places);
  const { numerator, denominator } = absolute(a);
  const scaled = (2n * numerator * scale + denominator) / (2n * denominator);
  const digits = String(scaled).padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const decimals = digits.slice(digits.length - places).replace(/0+$/, '');
  const text = decimals === '' ? whole : `${whole}.${decimals}`;
  return a.numerator < 0n && scaled !== 0n ? `-${text}` : text;
}

function absolute(a: Rational): Rational {
  return a.numerator < 0n ? negate(a) : a;
}

function rational(numerator: bigint, denominator: bigint): Rational {
  return denominator < 0n ? { numerator: -numerator, denominator: -denominator } : { numerator, denominator };
}

/**
 * Numbers as people and models write them, kept exact: "1,234.50", "3/4", "1 1/2", "50%", "1.5 million", "2e3",
 * "\frac{3}{4}", "twenty-one". A double would make two different answers of twenty digits equal.
 */

export interface ExactNumber {
  /** In lowest terms; the denominator is above 0. */
  readonly numerator: bigint;
  readonly denominator: bigint;
  /** It stood before a percent sign; the value is what stood there, 50 for "50%". */
  readonly percent: boolean;
}

/** A number that was found in a text, and where. */
export interface FoundNumber {
  readonly number: ExactNumber;
  readonly start: number;
  readonly end: number;
}

const scales: Readonly<Record<string, bigint>> = {
  hundred: 100n,
  thousand: 1000n,
  k: 1000n,
  million: 10n ** 6n,
  billion: 10n ** 9n,
  trillion: 10n ** 12n,
  dozen: 12n,
};

const units =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');

/** Exponents of more digits are no answer to anything, and a way to fill the memory. */
const largestExponent = 400;

/** Thousands are set off by commas, apostrophes or narrow spaces; then come decimals, and an exponent. */
const decimal = String.raw`(?:\d{1,3}(?:(?:,|'|\u2019|\u00a0|\u2009|\u202f)\d{3})+|\d+)(?:\.\d+)?|\.\d+`;
const exponent = String.raw`(?:[eE][+-]?\d{1,3}\b|\s?(?:\u00d7|x|\*|\\times)\s?10\s?\^\s?\{?[+\-\u2212]?\d{1,3}\}?)?`;
/** A dollar and its like may stand between the sign and the digits. */
const money = String.raw`(?:\\?[$€£¥]\s?(?<minus>[-\u2212]?))?`;
/** "is -5" has a sign; "16-3" and "10 - 3" take away. */
const sign = String.raw`(?:(?<![\p{L}\d)\].])[-\u2212+]|(?<![\p{L}\d)\].]\s?)[-\u2212+]\s)?`;
const latexFraction = String.raw`\\[dt]?frac\s?\{?\s?(?<top>\d+)\s?\}?\s?\{?\s?(?<bottom>\d+)\s?\}?`;
const mixed = String.raw`(?<whole>\d+)[ \u00a0]+(?<mixedTop>\d+)\s?[/\u2044]\s?(?<mixedBottom>\d+)(?![\d/])`;
const whole = String.raw`(?:\d{1,3}(?:,\d{3})+|\d+)`;
const fraction = String.raw`(?<over>${whole})\s?[/\u2044]\s?(?<under>${whole})(?![\d/.])`;
const words = String.raw`\b(?<words>(?:(?:${[...tens, ...units].join('|')}|hundred|thousand|million|billion|dozen|a\s(?=dozen|hundred|thousand|million))(?:[\s-]+(?:and\s+)?|\b))+)`;

const pattern = new RegExp(
  `(?<sign>${sign})${money}(?:${latexFraction}|${mixed}|${fraction}|(?<plain>${decimal})(?<exponent>${exponent}))` +
    String.raw`(?:\s?(?<scale>hundred|thousand|million|billion|trillion|dozen|[kK](?![\p{L}\d])))?(?<percent>\s?(?:\\?%|\s?percent\b))?` +
    `|${words}(?<wordPercent>percent\\b)?`,
  'giu',
);

/** All numbers of a text, in its order. */
export function findNumbers(text: string): FoundNumber[] {
  const found: FoundNumber[] = [];
  for (const match of text.matchAll(pattern)) {
    const number = numberFrom(match.groups!);
    if (number === undefined) continue;
    const end = match.index + match[0].trimEnd().length;
    found.push({ number, start: match.index, end });
  }
  return found;
}

/** Equal within `absolute`, or within `relative` of the second where that is more. */
export function areClose(
  a: ExactNumber,
  b: ExactNumber,
  { absolute = 1e-3, relative = 1e-9 }: { readonly absolute?: number; readonly relative?: number } = {},
): boolean {
  const difference = abs(a.numerator * b.denominator - b.numerator * a.denominator);
  const scale = a.denominator * b.denominator;
  // Exact where doubles are not: the tolerance is a fraction of 10^15.
  const unit = 10n ** 15n;
  const within = (tolerance: number, of: bigint, over: bigint): boolean =>
    difference * unit * over <= BigInt(Math.round(tolerance * 1e15)) * of * scale;
  return within(absolute, 1n, 1n) || within(relative, abs(b.numerator), b.denominator);
}

/** The same text for the same value: decimals where they end, a fraction otherwise. Percent signs are left out. */
export function numberKey({ numerator, denominator }: ExactNumber): string {
  let rest = denominator;
  let [twos, fives] = [0, 0];
  while (rest % 2n === 0n) [rest, twos] = [rest / 2n, twos + 1];
  while (rest % 5n === 0n) [rest, fives] = [rest / 5n, fives + 1];
  if (rest !== 1n) return `${numerator}/${denominator}`;
  const places = Math.max(twos, fives);
  const digits = String((abs(numerator) * 10n ** BigInt(places)) / denominator).padStart(places + 1, '0');
  const shown = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return (numerator < 0n ? '-' : '') + shown;
}

export function exactNumber(numerator: bigint, denominator = 1n, percent = false): ExactNumber {
  const divisor = greatestCommonDivisor(abs(numerator), denominator) || 1n;
  return { numerator: numerator / divisor, denominator: denominator / divisor, percent };
}

function numberFrom(groups: Readonly<Record<string, string | undefined>>): ExactNumber | undefined {
  const percent = groups['percent'] !== undefined || groups['wordPercent'] !== undefined;
  if (groups['words'] !== undefined) {
    const value = numberFromWords(groups['words']);
    return value === undefined ? undefined : exactNumber(value, 1n, percent);
  }
  const value = magnitude(groups);
  if (value === undefined) return undefined;
  const negative = /[-\u2212]/.test(groups['sign'] ?? '') !== ((groups['minus'] ?? '') !== '');
  const scale = scales[groups['scale']?.toLowerCase() ?? ''] ?? 1n;
  return exactNumber((negative ? -value.numerator : value.numerator) * scale, value.denominator, percent);
}

function magnitude(groups: Readonly<Record<string, string | undefined>>): ExactNumber | undefined {
  const integer = (name: string): bigint => BigInt(groups[name]!.replaceAll(',', ''));
  const quotient = (top: bigint, bottom: bigint): ExactNumber | undefined =>
    bottom === 0n ? undefined : exactNumber(top, bottom);
  if (groups['top'] !== undefined) return quotient(integer('top'), integer('bottom'));
  if (groups['whole'] !== undefined) {
    const bottom = integer('mixedBottom');
    return quotient(integer('whole') * bottom + integer('mixedTop'), bottom);
  }
  if (groups['over'] !== undefined) return quotient(integer('over'), integer('under'));
  const [whole = '', places = ''] = groups['plain']!.replace(/[,'\u2019\u00a0\u2009\u202f]/g, '').split('.');
  const power = Number(/[+\-\u2212]?\d+(?=\}?$)/.exec(groups['exponent'] ?? '')?.[0].replace('\u2212', '-') ?? 0);
  if (Math.abs(power) > largestExponent) return undefined;
  const shift = power - places.length;
  const digits = BigInt(whole + places);
  return shift >= 0 ? exactNumber(digits * 10n ** BigInt(shift)) : exactNumber(digits, 10n ** BigInt(-shift));
}

/** "two hundred and five" is 205, "a dozen" is 12. "one" and "a" alone are words, not counted as numbers. */
function numberFromWords(text: string): bigint | undefined {
  const parts = text
    .toLowerCase()
    .match(/[a-z]+/g)!
    .filter((word) => word !== 'and');
  if (parts.join() === 'one' || parts.join() === 'a') return undefined;
  let total = 0n;
  let group = 0n;
  for (const word of parts) {
    const small = word === 'a' ? 1 : units.indexOf(word);
    if (small >= 0) group += BigInt(small);
    else if (tens.includes(word)) group += BigInt(20 + 10 * tens.indexOf(word));
    else {
      const scale = scales[word]!;
      if (scale <= 100n) group = (group || 1n) * scale;
      else [total, group] = [total + (group || 1n) * scale, 0n];
    }
  }
  return total + group;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

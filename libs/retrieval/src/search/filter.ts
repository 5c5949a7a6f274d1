/**
 * Filters over metadata, as JSON: `{"lang": "en", "year": {"gte": 2020}, "or": [{"tag": "a"}, {"tag": "b"}]}`. They are
 * evaluated here, on values; no expression of a store is made of them.
 */
import { invalidInput } from '@crucible/foundation';
import type { DocumentRecord } from '../store/passage-store.ts';

export type Filter = (record: DocumentRecord) => boolean;

type Scalar = string | number | boolean;

const comparisons: Readonly<Record<string, (value: unknown, operand: Scalar) => boolean>> = {
  eq: (value, operand) => (Array.isArray(value) ? value.includes(operand) : value === operand),
  ne: (value, operand) => (Array.isArray(value) ? !value.includes(operand) : value !== operand),
  gt: (value, operand) => isOrdered(value, operand) && value > operand,
  gte: (value, operand) => isOrdered(value, operand) && value >= operand,
  lt: (value, operand) => isOrdered(value, operand) && value < operand,
  lte: (value, operand) => isOrdered(value, operand) && value <= operand,
  prefix: (value, operand) => typeof value === 'string' && typeof operand === 'string' && value.startsWith(operand),
};
const operators = [...Object.keys(comparisons), 'in', 'exists'];
const mostConditions = 256;
const deepest = 16;

/** Fields of the document itself. */
const ownFields: Readonly<Record<string, (record: DocumentRecord) => unknown>> = {
  '@id': ({ id }) => id,
  '@source': ({ source }) => source,
  '@title': ({ title }) => title,
  '@ingestedAt': ({ ingestedAt }) => ingestedAt,
};

/** Throws `invalid-input` that names the condition. */
export function parseFilter(given: unknown, at = 'filter'): Filter {
  let conditions = 0;
  const parse = (value: unknown, path: string, depth: number): Filter => {
    const fail = (what: string): never => {
      throw invalidInput(`${path}: ${what}`, { at: path });
    };
    if (depth > deepest) fail(`it is nested deeper than ${deepest}`);
    if (!isObject(value)) return fail('an object is needed, for example {"lang": "en"}');
    const tests = Object.entries(value).map(([name, operand]): Filter => {
      const own = `${path}.${name}`;
      if (++conditions > mostConditions) fail(`it has more than ${mostConditions} conditions`);
      if (name === 'and' || name === 'or') {
        if (!Array.isArray(operand) || operand.length === 0) return fail(`${name} needs a list of filters`);
        const inner = operand.map((each, i) => parse(each, `${own}[${i}]`, depth + 1));
        return name === 'and'
          ? (record) => inner.every((test) => test(record))
          : (record) => inner.some((test) => test(record));
      }
      if (name === 'not') {
        const inner = parse(operand, own, depth + 1);
        return (record) => !inner(record);
      }
      return parseField(name, operand, own);
    });
    return (record) => tests.every((test) => test(record));
  };
  return parse(given, at, 0);
}

function parseField(name: string, operand: unknown, at: string): Filter {
  const own = Object.hasOwn(ownFields, name) ? ownFields[name] : undefined;
  if (name.startsWith('@') && !own) {
    throw invalidInput(`${at}: there is no such field; there are ${Object.keys(ownFields).join(', ')}`, { at });
  }
  const read = own ?? (({ metadata }) => (Object.hasOwn(metadata, name) ? metadata[name] : undefined));
  if (isScalar(operand)) return (record) => comparisons['eq']!(read(record), operand);
  if (!isObject(operand))
    throw invalidInput(`${at}: a value or an object of ${operators.join(', ')} is needed`, { at });
  const tests = Object.entries(operand).map(([operator, value]): Filter => {
    const place = `${at}.${operator}`;
    if (operator === 'in') {
      if (!Array.isArray(value) || !value.every(isScalar))
        throw invalidInput(`${place}: a list of values is needed`, { at: place });
      const wanted = value;
      return (record) => wanted.some((each) => comparisons['eq']!(read(record), each));
    }
    if (operator === 'exists') {
      if (typeof value !== 'boolean') throw invalidInput(`${place}: true or false is needed`, { at: place });
      return (record) => (read(record) !== undefined) === value;
    }
    const compare = Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;
    if (!compare)
      throw invalidInput(`${place}: there is no such operator; there are ${operators.join(', ')}`, { at: place });
    if (!isScalar(value)) throw invalidInput(`${place}: a string, a number, true or false is needed`, { at: place });
    return (record) => compare(read(record), value);
  });
  return (record) => tests.every((test) => test(record));
}

function isOrdered<T extends Scalar>(value: unknown, operand: T): value is T {
  return typeof value === typeof operand && typeof operand !== 'boolean';
}

function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

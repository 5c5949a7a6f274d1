/** What the bodies of all requests have in common: numbers, and what is said of a wrong field. */
import { type CrucibleError, invalidInput } from '@crucible/foundation';
import { z } from 'zod';

/** The message of a check says what is allowed. */
export function numberIn(low: number, high: number) {
  const allowed = `a number from ${low} to ${high}`;
  return z.number(allowed).min(low, allowed).max(high, allowed);
}

export function wholeNumber(low: number, high = Number.MAX_SAFE_INTEGER) {
  const allowed =
    high === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${low}` : `a whole number from ${low} to ${high}`;
  return z.int(allowed).min(low, allowed).max(high, allowed);
}

/** One clear sentence for the first thing that is wrong. */
export function wrongBody({ issues }: z.ZodError): CrucibleError {
  const issue = issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const field = fieldAt([...issue.path, issue.keys[0]!]);
    return invalidInput(`${field}: this field is not known or not supported here`, { at: field });
  }
  const field = fieldAt(issue.path);
  if (field === '') return invalidInput('the body must be a JSON object', { at: 'body' });
  const wrong = issue.input === undefined ? 'it is missing' : `${excerpt(issue.input)} is given`;
  return invalidInput(`${field}: ${wrong}; ${issue.message} is allowed`, { at: field });
}

/** As one would write it in JavaScript: `messages[0].role`. */
function fieldAt(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('');
}

function excerpt(value: unknown): string {
  const most = 40;
  const json = JSON.stringify(value);
  return json.length > most ? `${json.slice(0, most)}…` : json;
}

/** What the bodies of all requests have in common: kinds of fields, and what is said of a wrong one. */
import { type CrucibleError, invalidInput } from '@crucible/foundation';
import { z } from 'zod';

/** The message of a check says what is allowed. */
function numberIn(low: number, high: number) {
  const allowed = `a number from ${low} to ${high}`;
  return z.number(allowed).min(low, allowed).max(high, allowed);
}

export function wholeNumber(low: number, high = Number.MAX_SAFE_INTEGER) {
  const allowed =
    high === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${low}` : `a whole number from ${low} to ${high}`;
  return z.int(allowed).min(low, allowed).max(high, allowed);
}

export const text = z.string('a string');
export const someText = text.min(1, 'a string that is not empty');
export const flag = z.boolean('true or false');

/** Fields of the OpenAI API that are accepted only with the value that changes nothing. */
export const unused = (value: number) => z.literal(value, `${value}, which changes nothing,`).nullish();

const topPAllowed = 'a number above 0 and at most 1';

/** How answers are drawn, of chats and of completions. */
export const samplingFields = {
  temperature: numberIn(0, 2).nullish(),
  top_p: z.number(topPAllowed).gt(0, topPAllowed).max(1, topPAllowed).nullish(),
  /** Ours: only the k likeliest tokens. */
  top_k: wholeNumber(0).nullish(),
  n: wholeNumber(1, 16).nullish(),
  stop: z.union([someText, z.array(someText).max(4)], 'a string, or a list of at most 4 strings,').nullish(),
  seed: wholeNumber(0, 4_294_967_295).nullish(),
};

/** How answers are sent. */
export const streamFields = {
  stream: flag.nullish(),
  stream_options: z.strictObject({ include_usage: flag.optional() }, 'an object').nullish(),
};

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

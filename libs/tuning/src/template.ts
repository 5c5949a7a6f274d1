/**
 * The language of templates, which put a text and an open place for the answer into one prompt:
 *
 *     {text} All in all, it was {mask}.
 *
 * - `{text}`, and `{pair}` for the second text of a pair: the input. Options follow a bar: `{text|lower|bare}`.
 *   `lower`: its first letter in lower case. `bare`: without punctuation at its end. `keep`: it is never shortened.
 *   `tail`: where it is too long it loses its beginning and not its end.
 * - `{mask}`: the place of the answer, exactly once. Of a decoder it is the end of the prompt.
 * - `{soft}`: one virtual token that is learned; `{soft:5}` five of them; `{soft:It was}` as many as the words have tokens,
 *   which they begin as.
 * - Everything else stands for itself; `{{` and `}}` for braces.
 */
import { invalidInput } from '@crucible/foundation';
import type { Tokenizer } from '@crucible/tokenizer';
import { scanTemplate, templateError } from './template-scanner.ts';

export type Field = 'text' | 'pair';

export type TemplatePart =
  | { readonly kind: 'literal'; readonly text: string }
  | {
      readonly kind: 'field';
      readonly field: Field;
      readonly lower: boolean;
      readonly bare: boolean;
      readonly keep: boolean;
      readonly tail: boolean;
    }
  | { readonly kind: 'mask' }
  /** `words` that the virtual tokens begin as, or how many there are. */
  | { readonly kind: 'soft'; readonly begin: { readonly count: number } | { readonly words: string } };

export interface Template {
  readonly source: string;
  readonly parts: readonly TemplatePart[];
}

const fieldOptions = ['lower', 'bare', 'keep', 'tail'] as const;

const mostSoft = 200;

/** Reads a template; errors show it with carets under the place. */
export function parseTemplate(source: string): Template {
  const fail = (what: string, start: number, end: number): never => {
    throw templateError(source, what, start, end);
  };
  let maskAt = -1;
  const parts = scanTemplate(source, 'template').map((scanned): TemplatePart => {
    if (scanned.kind === 'literal') return scanned;
    const { inner, start, end } = scanned;
    const part = parsePlaceholder(inner, (what, from, to) => fail(what, start + 1 + from, start + 1 + to));
    if (part.kind === 'mask') {
      if (maskAt !== -1) fail('a second {mask}; there is one place for the answer', start, end);
      maskAt = start;
    }
    return part;
  });
  if (!parts.some(({ kind }) => kind === 'mask'))
    fail('there is no {mask}, the place of the answer', source.length, source.length + 1);
  if (!parts.some(({ kind }) => kind === 'field'))
    fail('there is neither {text} nor {pair}: all inputs would look alike', 0, Math.max(1, source.length));
  return { source, parts };
}

function parsePlaceholder(
  inner: string,
  fail: (what: string, start: number, end: number) => never,
): Exclude<TemplatePart, { kind: 'literal' }> {
  const name = /^[^|:]*/.exec(inner)![0];
  const rest = inner.slice(name.length);
  switch (name) {
    case 'mask':
      if (rest !== '') fail('{mask} has no options', name.length, inner.length);
      return { kind: 'mask' };
    case 'soft':
      return { kind: 'soft', begin: parseSoft(rest, (what) => fail(what, name.length, inner.length)) };
    case 'text':
    case 'pair': {
      if (rest.startsWith(':')) fail(`the options of {${name}} come after a |`, name.length, inner.length);
      const given = new Set<string>();
      let at = name.length + 1;
      for (const option of rest === '' ? [] : rest.slice(1).split('|')) {
        if (!fieldOptions.some((each) => each === option))
          fail(
            `unknown option ${JSON.stringify(option)}; there are ${fieldOptions.join(', ')}`,
            at,
            at + Math.max(1, option.length),
          );
        given.add(option);
        at += option.length + 1;
      }
      const has = (option: (typeof fieldOptions)[number]): boolean => given.has(option);
      return {
        kind: 'field',
        field: name,
        lower: has('lower'),
        bare: has('bare'),
        keep: has('keep'),
        tail: has('tail'),
      };
    }
    default:
      return fail(
        `unknown placeholder {${name}}; there are {text}, {pair}, {mask} and {soft}`,
        0,
        Math.max(1, inner.length),
      );
  }
}

function parseSoft(rest: string, fail: (what: string) => never): { count: number } | { words: string } {
  if (rest === '') return { count: 1 };
  if (!rest.startsWith(':')) fail('{soft} has no such option; {soft:5} and {soft:It was} are possible');
  const given = rest.slice(1).trim();
  if (given === '') fail('{soft:} names neither a number nor words');
  if (!/^\d+$/.test(given)) return { words: given };
  const count = Number(given);
  if (count < 1 || count > mostSoft) fail(`${count} virtual tokens; 1 to ${mostSoft} are possible`);
  return { count };
}

/** An input to be put into a template. */
export interface TemplateInput {
  readonly text: string;
  readonly pair?: string | undefined;
}

/** A template with the tokens of everything in it that does not depend on the input. */
export interface EncodedPrompt {
  readonly ids: number[];
  /** Index of the place of the answer. Of a decoder it is that of the last token, after which the answer comes. */
  readonly maskAt: number;
  /** Indices of the virtual tokens, in order; their ids are those of what they begin as. */
  readonly softAt: number[];
}

/** What a prompt is made for: `masked` puts [CLS] and [SEP] around it and [MASK] in it, `causal` ends before the answer. */
export type PromptKind = 'masked' | 'causal';

interface Piece {
  ids: number[];
  readonly kind: TemplatePart['kind'];
  readonly shortenable: boolean;
  readonly tail: boolean;
}

/** Puts inputs into one template, for one tokenizer and a longest prompt in tokens. */
export class TemplateEncoder {
  readonly template: Template;
  /** Virtual tokens in the template, and the tokens that they begin as; -1 begins at random. */
  readonly softTokens: readonly number[];
  readonly #tokenizer: Tokenizer;
  readonly #kind: PromptKind;
  readonly #longest: number;
  readonly #around: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly #softIds = new Map<TemplatePart, readonly number[]>();

  constructor(
    template: Template,
    tokenizer: Tokenizer,
    options: { readonly kind: PromptKind; readonly longest: number },
  ) {
    const { kind, longest } = options;
    this.template = template;
    this.#tokenizer = tokenizer;
    this.#kind = kind;
    this.#longest = longest;
    if (kind === 'masked' && tokenizer.maskId === undefined)
      throw invalidInput('model: its tokenizer has no mask token; a masked language model is needed', { at: 'model' });
    if (kind === 'causal') assertEndsOpen(template);
    for (const part of template.parts) {
      if (part.kind !== 'soft') continue;
      const ids =
        'count' in part.begin ? new Array<number>(part.begin.count).fill(-1) : tokenizer.encode(part.begin.words);
      this.#softIds.set(part, ids);
    }
    this.softTokens = [...this.#softIds.values()].flat();
    this.#around = specialTokensAround(tokenizer, kind);
    // Said once, and not of the first input that comes.
    const fixed = this.#pieces({ text: '', pair: '' }).reduce((sum, { ids }) => sum + ids.length, 0) + this.#framing;
    if (fixed >= longest) {
      throw templateError(
        template.source,
        `it has ${fixed} tokens without any input; the context holds ${longest}`,
        0,
        template.source.length,
      );
    }
  }

  encode(input: TemplateInput): EncodedPrompt {
    const pieces = this.#pieces(input);
    this.#shorten(pieces);
    const ids = [...this.#around.before];
    const softAt: number[] = [];
    let maskAt = -1;
    for (const { kind, ids: own } of pieces) {
      if (kind === 'mask') maskAt = ids.length;
      if (kind === 'soft') own.forEach((_id, i) => softAt.push(ids.length + i));
      ids.push(...own.map((id) => Math.max(0, id)));
    }
    ids.push(...this.#around.after);
    return { ids, maskAt: this.#kind === 'causal' ? ids.length - 1 : maskAt, softAt };
  }

  get #framing(): number {
    return this.#around.before.length + this.#around.after.length;
  }

  /** A space between two parts goes to the second, as tokenizers that mark the beginnings of words have it. */
  #pieces(input: TemplateInput): Piece[] {
    const pieces: Piece[] = [];
    let space = '';
    const encode = (text: string): number[] => this.#tokenizer.encode(text);
    for (const part of this.template.parts) {
      switch (part.kind) {
        case 'literal': {
          const text = space + part.text;
          const body = text.trimEnd();
          space = text.slice(body.length);
          pieces.push({ kind: 'literal', ids: encode(body), shortenable: false, tail: false });
          break;
        }
        case 'field': {
          const value = fieldText(part, input, this.template.source);
          const ids = encode(space + value);
          if (value !== '') space = '';
          pieces.push({ kind: 'field', ids, shortenable: !part.keep, tail: part.tail });
          break;
        }
        case 'mask':
          space = '';
          // A decoder writes the answer, and never reads what comes after it.
          if (this.#kind === 'causal') return pieces;
          pieces.push({ kind: 'mask', ids: [this.#tokenizer.maskId!], shortenable: false, tail: false });
          break;
        case 'soft':
          space = '';
          pieces.push({ kind: 'soft', ids: [...this.#softIds.get(part)!], shortenable: false, tail: false });
      }
    }
    return pieces;
  }

  /** Takes tokens from the longest of the inputs until all fits. */
  #shorten(pieces: readonly Piece[]): void {
    let excess = pieces.reduce((sum, { ids }) => sum + ids.length, 0) + this.#framing - this.#longest;
    while (excess > 0) {
      const candidates = pieces.filter(({ shortenable, ids }) => shortenable && ids.length > 0);
      if (candidates.length === 0) {
        throw templateError(
          this.template.source,
          `the prompt has ${excess} tokens more than the ${this.#longest} of the context, and nothing in it may be shortened`,
          0,
          this.template.source.length,
        );
      }
      const [longest, second] = candidates.toSorted((a, b) => b.ids.length - a.ids.length) as [Piece, Piece?];
      const taken = Math.min(excess, Math.max(1, longest.ids.length - (second?.ids.length ?? 0)));
      longest.ids = longest.tail ? longest.ids.slice(taken) : longest.ids.slice(0, longest.ids.length - taken);
      excess -= taken;
    }
  }
}

/** What a tokenizer puts before and after a text; nothing comes after what a decoder is to go on from. */
export function specialTokensAround(
  tokenizer: Tokenizer,
  kind: PromptKind,
): { readonly before: number[]; readonly after: number[] } {
  const { ids, specialTokensMask } = tokenizer.tokenize('a');
  const first = specialTokensMask.indexOf(0);
  const last = specialTokensMask.lastIndexOf(0);
  return { before: ids.slice(0, first), after: kind === 'masked' ? ids.slice(last + 1) : [] };
}

function fieldText(
  { field, lower, bare }: Extract<TemplatePart, { kind: 'field' }>,
  input: TemplateInput,
  source: string,
): string {
  const given = input[field];
  if (given === undefined) {
    const start = source.search(/\{pair[|}]/);
    const what = `the example ${JSON.stringify(input.text.slice(0, 40))} has no second text`;
    throw templateError(source, what, start, start + '{pair}'.length);
  }
  let text = given.trim();
  if (bare) text = text.replace(/[\s\p{P}]+$/u, '');
  if (lower) text = text.replace(/^./su, (first) => first.toLowerCase());
  return text;
}

/** A decoder reads from left to right: what stands after the answer would never be read. */
function assertEndsOpen({ source, parts }: Template): void {
  const at = parts.findIndex(({ kind }) => kind === 'mask');
  const after = parts.slice(at + 1).find((part) => part.kind !== 'literal' || /[\p{L}\p{N}]/u.test(part.text));
  if (!after) return;
  const start = source.indexOf('{mask}') + '{mask}'.length;
  throw templateError(source, 'of a decoder nothing but punctuation may follow {mask}', start, source.length);
}

/**
 * Added tokens: vocabulary entries that are found in the text as they are written, before it is cut into pieces. Those
 * marked special steer the model (end of turn, roles, …) and must only ever come from us, never from a user's text.
 */
import { CodePointSet } from './unicode/code-point-set.ts';
import { classOf } from './unicode/versions.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Is not found where a letter or the like is beside it. */
  readonly singleWord: boolean;
  /** Swallows the white space before it. */
  readonly lstrip: boolean;
  /** Swallows the white space after it. */
  readonly rstrip: boolean;
  /** Is looked for, itself normalized, in the text after normalization. */
  readonly normalized: boolean;
}

/** An added token as both tokenizer.json and tokenizer_config.json write it. */
export function addedTokenFields({ content, special, singleWord, lstrip, rstrip, normalized }: AddedToken): object {
  return { content, single_word: singleWord, lstrip, rstrip, normalized, special };
}

/** From `start` up to, not including, `end`. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Where an added token is in a text, with the white space that it swallows. */
export interface Occurrence extends Stretch {
  readonly id: number;
}

interface Node {
  readonly children: Map<number, Node>;
  token?: AddedToken;
}

const whiteSpace = new CodePointSet(classOf.whiteSpace);
const word = new CodePointSet(classOf.word);

/** Finds added tokens. Where several match, the leftmost wins, then the longest. */
export class AddedTokenMatcher {
  readonly #root: Node = { children: new Map() };

  /** `textOf`: what a token looks like; the token itself by default. Tokens that look like nothing are not found. */
  constructor(tokens: readonly AddedToken[], textOf: (token: AddedToken) => string = ({ content }) => content) {
    for (const token of tokens) {
      let node = this.#root;
      for (const unit of units(textOf(token))) {
        let next = node.children.get(unit);
        if (next === undefined) node.children.set(unit, (next = { children: new Map() }));
        node = next;
      }
      if (node !== this.#root) node.token = token;
    }
  }

  /** In order. What `allows` refuses is passed over as if it were text. */
  occurrences(text: string, allows: (token: AddedToken, place: Stretch) => boolean = () => true): Occurrence[] {
    const found: Occurrence[] = [];
    if (this.#root.children.size === 0) return found;
    let done = 0;
    for (let at = 0; at < text.length;) {
      const match = this.#matchAt(text, at);
      if (match === undefined) {
        at++;
        continue;
      }
      const { token } = match;
      let { start, end } = match;
      at = end;
      if (!allows(token, match) || (token.singleWord && (isWordBefore(text, start) || isWordAt(text, end)))) continue;
      if (token.lstrip) while (start > done && whiteSpace.has(text.charCodeAt(start - 1))) start--;
      if (token.rstrip) while (end < text.length && whiteSpace.has(text.charCodeAt(end))) end++;
      found.push({ id: token.id, start, end });
      done = end;
    }
    return found;
  }

  #matchAt(text: string, start: number): (Stretch & { token: AddedToken }) | undefined {
    let node = this.#root.children.get(text.charCodeAt(start));
    let found: (Stretch & { token: AddedToken }) | undefined;
    for (let end = start + 1; node !== undefined; end++) {
      if (node.token !== undefined) found = { start, end, token: node.token };
      node = end < text.length ? node.children.get(text.charCodeAt(end)) : undefined;
    }
    return found;
  }
}

function units(text: string): number[] {
  return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}

function isWordAt(text: string, place: number): boolean {
  return place < text.length && word.has(text.codePointAt(place)!);
}

function isWordBefore(text: string, place: number): boolean {
  if (place === 0) return false;
  const unit = text.charCodeAt(place - 1);
  return word.has((unit & 0xfc00) === 0xdc00 ? text.codePointAt(place - 2)! : unit);
}

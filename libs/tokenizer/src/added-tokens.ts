/**
 * Added tokens: vocabulary entries that are found in the text as they are written, before it is cut into pieces. Those
 * marked special steer the model (end of turn, roles, …) and must only ever come from us, never from a user's text.
 */
import { escapeSplitPattern } from './split-pattern.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Swallows the white space before it. */
  readonly lstrip: boolean;
  /** Swallows the white space after it. */
  readonly rstrip: boolean;
  /**
   * Carried along for others. We look for added tokens in the text as given; Hugging Face looks for `normalized` ones
   * after normalizing, which makes a difference only where a combining character follows the token.
   */
  readonly normalized: boolean;
}

/** From `start` up to, not including, `end`. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Splits text at added tokens. Where several match, the leftmost wins, then the longest. */
export class AddedTokenMatcher {
  readonly #byContent: ReadonlyMap<string, AddedToken>;
  readonly #pattern: RegExp | undefined;

  constructor(tokens: readonly AddedToken[]) {
    this.#byContent = new Map(tokens.map((token) => [token.content, token]));
    const longestFirst = [...this.#byContent.keys()].sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(escapeSplitPattern).join('|'), 'gv');
  }

  /** The ids of the tokens and, in between, the stretches of plain text; none of them empty. */
  split(text: string): (number | string)[] {
    const parts: (number | string)[] = [];
    let done = 0;
    for (const { index, 0: content } of this.#matches(text)) {
      const token = this.#byContent.get(content)!;
      let start = index;
      let end = index + content.length;
      if (token.lstrip) while (start > done && isWhiteSpace(text[start - 1]!)) start--;
      if (token.rstrip) while (end < text.length && isWhiteSpace(text[end]!)) end++;
      if (start > done) parts.push(text.slice(done, start));
      parts.push(token.id);
      done = end;
    }
    if (done < text.length) parts.push(text.slice(done));
    return parts;
  }

  /** Every occurrence, with its place. */
  occurrences(text: string): Stretch[] {
    return Array.from(this.#matches(text), ({ index, 0: content }) => ({ start: index, end: index + content.length }));
  }

  #matches(text: string): Iterable<RegExpExecArray> {
    return this.#pattern === undefined ? [] : text.matchAll(this.#pattern);
  }
}

function isWhiteSpace(character: string): boolean {
  return /\p{White_Space}/u.test(character);
}

/**
 * Concealing special tokens in message contents while a chat template is rendered. Whatever in a content could become a
 * special token, or a part of one, is replaced by a mark that can be recognised afterwards; everything else stays, so
 * that templates may trim, split and inspect contents as they like. The rendering is then cut at special tokens, and
 * only after that the marks are replaced by what they stand for.
 */
import { AddedTokenMatcher } from './added-tokens.ts';
import type { AddedToken } from './added-tokens.ts';

/** Why a rendering cannot be used. */
export class ConcealmentError extends Error {}

export class Concealment {
  readonly #matcher: AddedTokenMatcher;
  readonly #beginnings: ReadonlySet<string>;
  readonly #endings: ReadonlySet<string>;
  readonly #longest: number;
  /** A character that occurs nowhere else; a mark is a number between two of them. */
  readonly #edge: string;
  readonly #concealed: string[] = [];

  /** `texts`: everything that will go into the rendering, so that marks can be told from it. */
  constructor(special: readonly AddedToken[], texts: readonly string[]) {
    const contents = special.map(({ content }) => content);
    this.#matcher = new AddedTokenMatcher(special);
    this.#beginnings = new Set(contents.flatMap((token) => parts(token, (cut) => token.slice(0, cut))));
    this.#endings = new Set(contents.flatMap((token) => parts(token, (cut) => token.slice(cut))));
    this.#longest = Math.max(0, ...contents.map((token) => token.length));
    this.#edge = unusedCharacter([...contents, ...texts]);
  }

  /** A text that is in no content. */
  get foreignText(): string {
    return `${this.#edge}x${this.#edge}`;
  }

  conceal(content: string): string {
    const stretches = [...this.specialTokensIn(content), ...this.#partsAtEdges(content)];
    stretches.sort((a, b) => a.start - b.start);
    let result = '';
    let done = 0;
    for (const { start, end } of stretches) {
      if (end <= done) continue;
      result += content.slice(done, Math.max(done, start)) + this.#mark(content.slice(Math.max(done, start), end));
      done = end;
    }
    return result + content.slice(done);
  }

  specialTokensIn(text: string): { start: number; end: number }[] {
    return this.#matcher.occurrences(text);
  }

  /** Puts back what was concealed. Throws when a mark was damaged. */
  reveal(text: string): string {
    const revealed = text.replace(new RegExp(`${this.#edge}(\\d+)${this.#edge}`, 'gu'), (mark, index: string) => {
      return this.#concealed[Number(index)] ?? mark;
    });
    if (revealed.includes(this.#edge)) throw new ConcealmentError('cuts message contents in pieces');
    return revealed;
  }

  #mark(text: string): string {
    this.#concealed.push(text);
    return `${this.#edge}${this.#concealed.length - 1}${this.#edge}`;
  }

  /** Where the content, trimmed or not, begins as special tokens end or ends as they begin: what is next to it may complete them. */
  #partsAtEdges(content: string): { start: number; end: number }[] {
    const first = content.length - content.trimStart().length;
    const last = content.trimEnd().length;
    const found: { start: number; end: number }[] = [];
    for (let length = Math.min(this.#longest, last - first); length > 0; length--) {
      if (this.#endings.has(content.slice(first, first + length))) found.push({ start: first, end: first + length });
      if (this.#beginnings.has(content.slice(last - length, last))) found.push({ start: last - length, end: last });
    }
    return found;
  }
}

/** What `piece` makes of every cut inside `token`. */
function parts(token: string, piece: (cut: number) => string): string[] {
  return Array.from({ length: token.length - 1 }, (_, i) => piece(i + 1));
}

/** A private-use character that is in none of the texts. */
function unusedCharacter(texts: readonly string[]): string {
  const used = new Set(texts.flatMap((text) => text.match(/\p{Co}/gu) ?? []));
  for (const [first, last] of [
    [0xe000, 0xf8ff],
    [0xf0000, 0xffffd],
    [0x100000, 0x10fffd],
  ] as const) {
    for (let code = first; code <= last; code++) {
      const character = String.fromCodePoint(code);
      if (!used.has(character)) return character;
    }
  }
  throw new ConcealmentError('gets messages with all private-use characters there are');
}

/** Finding, in a text by somebody else, what is a special token or could become one next to other text. */
import { AddedTokenMatcher } from '../added-tokens.ts';
import type { AddedToken, Stretch } from '../added-tokens.ts';

export class SpecialTokenParts {
  readonly #matcher: AddedTokenMatcher;
  readonly #beginnings: ReadonlySet<string>;
  readonly #endings: ReadonlySet<string>;
  readonly #longest: number;

  constructor(special: readonly AddedToken[]) {
    const contents = special.map(({ content }) => content);
    const asTheyStand = { singleWord: false, lstrip: false, rstrip: false };
    this.#matcher = new AddedTokenMatcher(special.map((token) => ({ ...token, ...asTheyStand })));
    this.#beginnings = new Set(contents.flatMap((token) => parts(token, (cut) => token.slice(0, cut))));
    this.#endings = new Set(contents.flatMap((token) => parts(token, (cut) => token.slice(cut))));
    this.#longest = contents.reduce((longest, token) => Math.max(longest, token.length), 0);
  }

  /** Special tokens as they stand. */
  occurrences(text: string): Stretch[] {
    return this.#matcher.occurrences(text);
  }

  /**
   * Special tokens; where `text` begins as special tokens end; and where it ends as they begin, trimmed or not. In order
   * and without overlap.
   */
  stretches(text: string): Stretch[] {
    const found = [...this.occurrences(text), ...this.#atEdges(text)].sort((a, b) => a.start - b.start);
    const separate: Stretch[] = [];
    let done = 0;
    for (const { start, end } of found) {
      if (end <= done) continue;
      separate.push({ start: Math.max(done, start), end });
      done = end;
    }
    return separate;
  }

  #atEdges(text: string): Stretch[] {
    const first = text.length - text.trimStart().length;
    const last = text.trimEnd().length;
    const found: Stretch[] = [];
    for (let length = Math.min(this.#longest, last - first); length > 0; length--) {
      if (this.#endings.has(text.slice(first, first + length))) found.push({ start: first, end: first + length });
      if (this.#beginnings.has(text.slice(last - length, last))) found.push({ start: last - length, end: last });
    }
    return found;
  }
}

/** What `piece` makes of every cut inside `token`. */
function parts(token: string, piece: (cut: number) => string): string[] {
  return Array.from({ length: token.length - 1 }, (_, i) => piece(i + 1));
}

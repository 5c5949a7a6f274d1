/**
 * Concealing special tokens in message contents while a chat template is rendered. Whatever in a content could become a
 * special token, or a part of one, is replaced by a mark that can be recognised afterwards; everything else stays, so
 * that templates may trim, split and inspect contents as they like. In the rendering the marks are replaced by what they
 * stand for, and those places are remembered: no special token is found there.
 */
import type { Stretch } from '../added-tokens.ts';
import type { SpecialTokenParts } from './special-token-parts.ts';

/** Why a rendering cannot be used. */
export class ConcealmentError extends Error {}

export class Concealment {
  readonly #special: SpecialTokenParts;
  /** A character that occurs nowhere else; a mark is a number between two of them. */
  readonly #edge: string;
  readonly #concealed: string[] = [];

  /** `texts`: everything that will go into the rendering, so that marks can be told from it. */
  constructor(special: SpecialTokenParts, texts: readonly string[]) {
    this.#special = special;
    this.#edge = unusedCharacter(texts);
  }

  /** A text that is in no content. */
  get foreignText(): string {
    return `${this.#edge}x${this.#edge}`;
  }

  conceal(content: string): string {
    let result = '';
    let done = 0;
    for (const { start, end } of this.#special.stretches(content)) {
      result += `${content.slice(done, start)}${this.#edge}${this.#concealed.length}${this.#edge}`;
      this.#concealed.push(content.slice(start, end));
      done = end;
    }
    return result + content.slice(done);
  }

  /** All texts in plain data, concealed. */
  concealAll<T>(data: T): T {
    if (typeof data === 'string') return this.conceal(data) as T;
    if (Array.isArray(data)) return data.map((each: unknown) => this.concealAll(each)) as T;
    if (typeof data !== 'object' || data === null) return data;
    return Object.fromEntries(
      Object.entries(data).map(([name, value]) => [this.conceal(name), this.concealAll(value as unknown)]),
    ) as T;
  }

  /** Puts back what was concealed; `plain` says where it is now. Throws when a mark was damaged. */
  reveal(text: string): { text: string; plain: Stretch[] } {
    const [before, ...rest] = text.split(this.#edge);
    const plain: Stretch[] = [];
    let revealed = before!;
    // Every mark leaves two parts: the number in it, and the text after it.
    for (let i = 0; i < rest.length; i += 2) {
      const [number, after] = [rest[i]!, rest[i + 1]];
      const original = /^\d+$/.test(number) ? this.#concealed[Number(number)] : undefined;
      if (original === undefined || after === undefined) throw new ConcealmentError('cuts message contents in pieces');
      plain.push({ start: revealed.length, end: revealed.length + original.length });
      revealed += original + after;
    }
    return { text: revealed, plain };
  }
}

/** All texts in plain data. */
export function textsIn(data: unknown): string[] {
  if (typeof data === 'string') return [data];
  if (typeof data !== 'object' || data === null) return [];
  return [...(Array.isArray(data) ? [] : Object.keys(data)), ...Object.values(data).flatMap(textsIn)];
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

/**
 * A text on its way through normalizers and pre-tokenizers, and for each of its UTF-16 code units the part of the
 * original text that it came from. What is newly made out of a part has the whole part.
 *
 * Alignment is the business of offsets alone, and costs time. A text without it goes the same way.
 */

interface Alignment {
  /** By code unit of the text: where its part of the original begins, and ends. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** What a text is the beginning of: the original, a part that is looked at by itself, or nothing. */
type Beginning = 'original' | 'part' | 'nothing';

export class AlignedText {
  readonly text: string;
  readonly alignment: Alignment | undefined;
  readonly #beginning: Beginning;

  constructor(text: string, alignment?: Alignment, beginning: Beginning = 'original') {
    this.text = text;
    this.alignment = alignment;
    this.#beginning = beginning;
  }

  /** A part of an original text that is as it was, aligned; `base`: where it is in it. */
  static original(text: string, base = 0): AlignedText {
    const starts = new Int32Array(text.length);
    const ends = new Int32Array(text.length);
    for (let at = 0; at < text.length;) {
      const width = widthAt(text, at);
      starts.fill(base + at, at, at + width);
      ends.fill(base + at + width, at, at + width);
      at += width;
    }
    return new AlignedText(text, { starts, ends });
  }

  /** A part, which begins something if `start` is 0, or if nothing else is said. */
  slice(start: number, end: number, beginning: Beginning = 'part'): AlignedText {
    if (start === 0 && end === this.text.length) return this;
    const { alignment } = this;
    return new AlignedText(
      this.text.slice(start, end),
      alignment && { starts: alignment.starts.subarray(start, end), ends: alignment.ends.subarray(start, end) },
      start === 0 ? this.#beginning : beginning,
    );
  }

  /** Whether what is at `start` comes from the beginning of the original. */
  beginsOriginal(start: number): boolean {
    if (this.alignment !== undefined) return this.alignment.starts[start] === 0;
    return start === 0 && this.#beginning === 'original';
  }

  /** Whether what is at `start` may get something in front, as the beginning of a part. */
  beginsPart(start: number): boolean {
    return start > 0 || this.#beginning !== 'nothing';
  }

  /** With `prefix` in front, which belongs to the first character. Not for an empty text. */
  prepend(prefix: string): AlignedText {
    const { text, alignment } = this;
    if (alignment === undefined) return new AlignedText(prefix + text, undefined, this.#beginning);
    const aligned = (values: Int32Array): Int32Array => {
      const result = new Int32Array(prefix.length + text.length).fill(values[0]!, 0, prefix.length);
      result.set(values, prefix.length);
      return result;
    };
    return new AlignedText(
      prefix + text,
      { starts: aligned(alignment.starts), ends: aligned(alignment.ends) },
      this.#beginning,
    );
  }

  /**
   * This text as `text`. `rewrite` says character by character how it came about, and is asked only where alignment is
   * wanted.
   */
  rewritten(text: string, rewrite: (rewriting: Rewriting) => void): AlignedText {
    if (text === this.text) return this;
    if (this.alignment === undefined) return new AlignedText(text, undefined, this.#beginning);
    const rewriting = new Rewriting(this.text, this.alignment);
    rewrite(rewriting);
    return new AlignedText(text, rewriting.finish(), this.#beginning);
  }

  /** Where the original of a part that is not empty begins, and ends. */
  originOf(start: number, end: number): readonly [number, number] {
    return [this.alignment!.starts[start]!, this.alignment!.ends[end - 1]!];
  }
}

/** Writes a text anew, from its beginning to its end. */
export class Rewriting {
  readonly #text: string;
  readonly #alignment: Alignment;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** In the old text: what comes next. */
  #at = 0;

  constructor(text: string, alignment: Alignment) {
    this.#text = text;
    this.#alignment = alignment;
  }

  /**
   * Writes a character. `change` is 0 where it replaces the next one of the old text, 1 where it is added (it belongs to
   * what was read last), and −n where it replaces the next one and the n after it.
   */
  add(character: string, change: number): void {
    // Hugging Face's normalizers may run past the end.
    const place = Math.max(0, Math.min(change > 0 ? this.#at - 1 : this.#at, this.#text.length - 1));
    const { starts, ends } = this.#alignment;
    this.#starts.push(...Array<number>(character.length).fill(starts[place]!));
    this.#ends.push(...Array<number>(character.length).fill(ends[place]!));
    if (change <= 0) this.drop(1 - change);
  }

  /** Leaves out characters of the old text. */
  drop(characters: number): void {
    for (let i = 0; i < characters && this.#at < this.#text.length; i++) this.#at += widthAt(this.#text, this.#at);
  }

  /** The first of `characters` replaces the next one of the old text, the others are added. */
  replace(characters: string): void {
    let change = 0;
    for (const character of characters) {
      this.add(character, change);
      change = 1;
    }
  }

  finish(): Alignment {
    return { starts: Int32Array.from(this.#starts), ends: Int32Array.from(this.#ends) };
  }
}

/** How many code units the character at `at` has, in well-formed text. */
export function widthAt(text: string, at: number): 1 | 2 {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
}

/**
 * The `precompiled_charsmap` of sentencepiece: replacements for characters and short sequences of characters. The number
 * of bytes of a trie (32 bits, little-endian); the trie over UTF-8, a double array as Darts lays it out; and the
 * replacements, each ended by a zero byte, to which the values of the trie point.
 *
 * A value is taken for the shortest entry that a sequence begins with, for the whole of the sequence: so does the
 * reference.
 */
import { type AlignedText, widthAt } from '../aligned-text.ts';
import { CodePointSet } from '../unicode/code-point-set.ts';

const utf8 = new TextEncoder();
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Longer sequences, in bytes of UTF-8, are replaced character by character. */
const longestSequence = 5;

/** A part of a text and what stands in its place. */
interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

export class Charsmap {
  readonly #trie: Uint32Array;
  /** One after the other, each ended by a zero byte. */
  readonly #texts: Uint8Array;
  /** What a single character becomes; null for itself. */
  readonly #known = new Map<number, string | null>();

  /** Throws RangeError when it is not a charsmap. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length < 4 ? -1 : view.getUint32(0, true);
    if (size < 4 || size % 4 !== 0 || 4 + size > bytes.length) throw new RangeError('is not a charsmap');
    this.#trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#texts = bytes.subarray(4 + size);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(this.#texts);
    } catch {
      throw new RangeError('is a charsmap whose replacements are not UTF-8');
    }
  }

  apply(old: AlignedText): AlignedText {
    const { text } = old;
    const found = this.#replacements(text);
    if (found.length === 0) return old;
    let result = '';
    let done = 0;
    for (const { start, end, by } of found) {
      result += text.slice(done, start) + by;
      done = end;
    }
    result += text.slice(done);
    return old.rewritten(result, (rewriting) => {
      for (const { character, change } of stepsOf(text, found)) rewriting.add(character, change);
    });
  }

  #replacements(text: string): Replacement[] {
    const found: Replacement[] = [];
    const single = (start: number): void => {
      const end = start + widthAt(text, start);
      const by = this.#ofCharacter(text.codePointAt(start)!);
      if (by !== null) found.push({ start, end, by });
    };
    for (let at = 0; at < text.length;) {
      if (standsAlone(text, at)) {
        single(at);
        at += widthAt(text, at);
        continue;
      }
      // Where graphemes have to be found: up to a character that is sure to be one.
      let end = at;
      do end += widthAt(text, end);
      while (end < text.length && !standsAlone(text, end));
      if (end < text.length) end += widthAt(text, end);
      for (const { segment, index } of graphemes.segment(text.slice(at, end))) {
        const start = at + index;
        const whole = utf8.encode(segment);
        const by = whole.length <= longestSequence ? this.#lookUp(whole) : undefined;
        if (by !== undefined) found.push({ start, end: start + segment.length, by });
        else for (let i = start; i < start + segment.length; i += widthAt(text, i)) single(i);
      }
      at = end;
    }
    return found;
  }

  #ofCharacter(code: number): string | null {
    let by = this.#known.get(code);
    if (by === undefined) {
      by = this.#lookUp(utf8.encode(String.fromCodePoint(code))) ?? null;
      this.#known.set(code, by);
    }
    return by;
  }

  #lookUp(key: Uint8Array): string | undefined {
    const trie = this.#trie;
    const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
    let place = offset(trie[0]!);
    for (const byte of key) {
      if (byte === 0) return undefined;
      place ^= byte;
      const unit = trie[place];
      if (unit === undefined || (unit & 0x8000_00ff) !== byte) return undefined;
      place ^= offset(unit);
      if (((unit >>> 8) & 1) === 0) continue;
      const start = (trie[place] ?? 0) & 0x7fff_ffff;
      const end = this.#texts.indexOf(0, start);
      return new TextDecoder().decode(this.#texts.subarray(start, end < 0 ? undefined : end));
    }
    return undefined;
  }
}

/** The characters of the new text with their changes; the last one before characters that vanish takes them over. */
function stepsOf(text: string, replacements: readonly Replacement[]): { character: string; change: number }[] {
  const steps: { character: string; change: number }[] = [];
  let done = 0;
  for (const { start, end, by } of [...replacements, { start: text.length, end: text.length, by: '' }]) {
    for (const character of text.slice(done, start)) steps.push({ character, change: 0 });
    const characters = Array.from(by);
    const surplus = characters.length - Array.from(text.slice(start, end)).length;
    for (const [i, character] of characters.entries()) {
      steps.push({ character, change: i >= characters.length - surplus ? 1 : 0 });
    }
    const last = steps.at(-1);
    if (surplus < 0 && last !== undefined) last.change += surplus;
    done = end;
  }
  return steps;
}

/**
 * Characters between any two of which graphemes end. (A part of them, so that the common ones are told quickly: the rest
 * is left to the segmenter.)
 */
const separate = new CodePointSet(
  '[[\\p{Cc}[[\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{Script=Hebrew}\\p{Script=Arabic}\\p{Script=Han}' +
    '\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Common}]&&[\\p{L}\\p{N}\\p{P}\\p{S}\\p{Zs}]]]' +
    '--[\\r\\p{Extended_Pictographic}\\p{Regional_Indicator}\\p{Grapheme_Extend}\\p{Emoji_Modifier}]]',
);

/** Whether the character at `at` is a grapheme for sure. */
function standsAlone(text: string, at: number): boolean {
  const code = text.codePointAt(at)!;
  const next = at + (code > 0xffff ? 2 : 1);
  return separate.has(code) && (next === text.length || separate.has(text.codePointAt(next)!));
}

/**
 * Regular expressions of tokenizer.json files. They are written for Oniguruma (what Hugging Face's tokenizers uses);
 * this file translates them to JavaScript, so that both find the same matches:
 *
 * - `\s`, `\d`, `\w` and `.` mean what they mean in Oniguruma (JavaScript's `\s` has U+FEFF and lacks U+0085, for one);
 * - scripts need no `Script=`; nested classes and `&&` are kept (flag `v`).
 *
 * What has no JavaScript equal (possessive quantifiers, atomic groups, anchors that depend on modes, …) is refused by
 * name. Not guarded: an expression that backtracks exponentially. A model's files are as trusted as its weights.
 * Characters that only the newer of two Unicode versions knows may be split differently (Node 26: Unicode 17,
 * tokenizers 0.23: Unicode 16).
 */

/** Why a pattern cannot be used; the message names the construct. */
export class SplitPatternError extends Error {}

const longestPattern = 10_000;
const deepestNesting = 50;

/** Translates an Oniguruma pattern; the result is global. Throws SplitPatternError. */
export function parseSplitPattern(pattern: string): RegExp {
  if (pattern.length > longestPattern) {
    throw new SplitPatternError(`is longer than ${longestPattern} characters`);
  }
  const source = new Translator(pattern).translate();
  try {
    return new RegExp(source, 'gv');
  } catch (reason) {
    // The engine's message repeats the whole pattern before it says why.
    const why = (reason as Error).message.split(': ').at(-1)!;
    throw new SplitPatternError(`is not a valid regular expression: ${why}`);
  }
}

/** The source of an expression that matches `text` and nothing else. */
export function escapeSplitPattern(text: string): string {
  return Array.from(text, literal).join('');
}

/** Group openings that mean the same in both dialects. */
const groups = ['(?:', '(?=', '(?!', '(?<=', '(?<!', '(?i:'];

/** Escapes for single characters that are the same in both dialects. */
const controlEscapes = new Map([
  ['t', '\\t'],
  ['n', '\\n'],
  ['v', '\\v'],
  ['f', '\\f'],
  ['r', '\\r'],
]);

/** Escapes for sets, as the inside of a class. */
const setEscapes = new Map([
  ['s', '\\p{White_Space}'],
  ['S', '\\P{White_Space}'],
  ['d', '\\p{Nd}'],
  ['D', '\\P{Nd}'],
  ['w', '\\p{L}\\p{M}\\p{N}\\p{Pc}'],
  ['W', '[^\\p{L}\\p{M}\\p{N}\\p{Pc}]'],
]);

class Translator {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  translate(): string {
    let source = '';
    while (this.#at < this.#characters.length) source += this.#term();
    return source;
  }

  /** One element outside classes: a group edge, a quantifier, a class, an escape or a character. */
  #term(): string {
    const character = this.#characters[this.#at]!;
    switch (character) {
      case '[':
        return this.#class(0);
      case '(':
        return this.#groupOpening();
      case '\\': {
        const { source, isSet } = this.#escape();
        return isSet ? `[${source}]` : source;
      }
      case '*':
      case '+':
      case '?':
      case '{':
        return this.#quantifier();
      case '.':
        this.#at++;
        return '[^\\n]';
      case '^':
      case '$':
        throw this.#unsupported(`the anchor ${character}`);
      case ')':
      case '|':
        this.#at++;
        return character;
      default:
        this.#at++;
        return literal(character);
    }
  }

  #groupOpening(): string {
    if (this.#characters[this.#at + 1] !== '?') {
      this.#at++;
      // A capture is of no use here.
      return '(?:';
    }
    const opening = groups.find((group) => this.#startsWith(group));
    if (opening === undefined) throw this.#unsupported(`the group ${this.#rest(4)}`);
    this.#at += opening.length;
    return opening;
  }

  #quantifier(): string {
    const match = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.#rest(20));
    if (match === null) {
      if (/^\{,\d+\}/.test(this.#rest(20))) throw this.#unsupported('the quantifier {,n}');
      this.#at++;
      return literal('{');
    }
    this.#at += match[0].length;
    const suffix = this.#characters[this.#at];
    if (suffix === '+') throw this.#unsupported(`the possessive quantifier ${match[0]}+`);
    if (suffix !== '?') return match[0];
    this.#at++;
    return `${match[0]}?`;
  }

  /** A class, from its `[` to its `]`: unions separated by `&&`. */
  #class(depth: number): string {
    if (depth > deepestNesting) throw new SplitPatternError(`nests classes deeper than ${deepestNesting}`);
    const bracket = /^\[:\^?\w+:\]/.exec(this.#rest(20));
    if (bracket !== null) throw this.#unsupported(`the POSIX bracket ${bracket[0]}`);
    this.#at++;
    let opening = '[';
    if (this.#characters[this.#at] === '^') {
      opening = '[^';
      this.#at++;
    }
    const unions: string[] = [];
    let union = '';
    for (;;) {
      if (this.#at >= this.#characters.length) throw new SplitPatternError('has a class without its ]');
      if (this.#characters[this.#at] === ']') break;
      if (this.#startsWith('&&')) {
        this.#at += 2;
        unions.push(union);
        union = '';
      } else {
        union += this.#classItem(depth);
      }
    }
    this.#at++;
    unions.push(union);
    if (unions.includes('')) throw new SplitPatternError('has an empty class');
    return unions.length === 1 ? `${opening}${union}]` : `${opening}${unions.map((each) => `[${each}]`).join('&&')}]`;
  }

  /** A nested class, a set, a character or a range of characters. */
  #classItem(depth: number): string {
    if (this.#characters[this.#at] === '[') return this.#class(depth + 1);
    const from = this.#classCharacter();
    const ranges = this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']';
    if (!ranges) return from.source;
    if (from.isSet) throw this.#unsupported('a range that begins with a set');
    this.#at++;
    if (this.#at >= this.#characters.length) throw new SplitPatternError('has a class without its ]');
    const to = this.#classCharacter();
    if (to.isSet) throw this.#unsupported('a range that ends with a set');
    return `${from.source}-${to.source}`;
  }

  #classCharacter(): { source: string; isSet: boolean } {
    const character = this.#characters[this.#at]!;
    if (character === '\\') return this.#escape();
    this.#at++;
    return { source: literal(character), isSet: false };
  }

  /** What follows a backslash; a set comes as the inside of a class. */
  #escape(): { source: string; isSet: boolean } {
    const name = this.#characters[this.#at + 1];
    if (name === undefined) throw new SplitPatternError('ends with a backslash');
    if (name === 'p' || name === 'P') return { source: this.#property(), isSet: true };
    const code = /^\\(?:[xu]\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(this.#rest(12));
    if (code !== null) {
      this.#at += code[0].length;
      return { source: `\\u{${(code[1] ?? code[2] ?? code[3])!}}`, isSet: false };
    }
    const set = setEscapes.get(name);
    const control = controlEscapes.get(name);
    if (set === undefined && control === undefined && /[\p{L}\p{N}]/u.test(name)) {
      throw this.#unsupported(`the escape \\${name}`);
    }
    this.#at += 2;
    return { source: set ?? control ?? literal(name), isSet: set !== undefined };
  }

  #property(): string {
    const match = /^\\([pP])\{(\^?)([A-Za-z_]{1,40})\}/.exec(this.#rest(50));
    if (match === null) throw this.#unsupported(`the property ${this.#rest(12)}`);
    this.#at += match[0].length;
    const [, letter, caret, name] = match;
    const negated = (letter === 'P') !== (caret === '^');
    const property = [name!, `Script=${name!}`].find(isProperty);
    if (property === undefined) throw this.#unsupported(`the property ${match[0]}`);
    return `\\${negated ? 'P' : 'p'}{${property}}`;
  }

  #startsWith(text: string): boolean {
    return this.#rest(text.length) === text;
  }

  #rest(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('');
  }

  #unsupported(construct: string): SplitPatternError {
    return new SplitPatternError(`uses ${construct} (character ${this.#at + 1}), which is not supported`);
  }
}

function isProperty(name: string): boolean {
  try {
    new RegExp(`\\p{${name}}`, 'u');
    return true;
  } catch {
    return false;
  }
}

/** A character that stands for itself, inside a class and outside. */
function literal(character: string): string {
  return /[\p{L}\p{N}]/u.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/**
 * Reading the regular expressions of tokenizer.json. They are written for Oniguruma (the engine of Hugging Face's
 * tokenizers, in its own syntax). Every construct means what it means there; constructs that a tokenizer has no use for
 * (back references, calls, conditions, …) are refused by name.
 */
import {
  anything,
  codePoint,
  complement,
  escapeClass,
  foldsTogether,
  ignoringCase,
  notLineFeed,
  posixClass,
  propertyClass,
} from './character-classes.ts';
import { type Anchor, PatternError, type PatternNode } from './syntax.ts';

const longestPattern = 10_000;
const deepestNesting = 100;
const largestRepeat = 100_000;

/** Throws PatternError. */
export function parsePattern(pattern: string): PatternNode {
  if (pattern.length > longestPattern) throw new PatternError(`is longer than ${longestPattern} characters`);
  return new Parser(pattern).parse();
}

interface Options {
  readonly ignoreCase: boolean;
  /** A dot is a line feed too. */
  readonly dotAll: boolean;
  /** White space and comments mean nothing. */
  readonly extended: boolean;
}

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };
const anchors: Readonly<Record<string, Anchor>> = {
  A: 'textStart',
  z: 'textEnd',
  Z: 'lastLineEnd',
  b: 'wordEdge',
  B: 'notWordEdge',
};
const groups = [
  ['(?:', (body: PatternNode) => body],
  ['(?>', (body: PatternNode) => ({ kind: 'atomic', body })],
  ['(?=', (body: PatternNode) => ({ kind: 'look', ahead: true, negative: false, body })],
  ['(?!', (body: PatternNode) => ({ kind: 'look', ahead: true, negative: true, body })],
  ['(?<=', (body: PatternNode) => ({ kind: 'look', ahead: false, negative: false, body })],
  ['(?<!', (body: PatternNode) => ({ kind: 'look', ahead: false, negative: true, body })],
] as const satisfies (readonly [string, (body: PatternNode) => PatternNode])[];

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  parse(): PatternNode {
    const node = this.#choice({ ignoreCase: false, dotAll: false, extended: false });
    if (this.#at < this.#characters.length) throw new PatternError('has a ) without its (');
    return node;
  }

  /** Up to the end, or the parenthesis that closes the group. */
  #choice(options: Options): PatternNode {
    if (++this.#depth > deepestNesting) throw new PatternError(`nests groups deeper than ${deepestNesting}`);
    const branches: PatternNode[] = [];
    const branch: { items: PatternNode[]; literals: string } = { items: [], literals: '' };
    for (;;) {
      const next = this.#characters[this.#at];
      if (next === undefined || next === ')' || next === '|') {
        branches.push(sequence(branch.items));
        branch.items = [];
        branch.literals = '';
        if (next !== '|') break;
        this.#at++;
        continue;
      }
      if (options.extended && this.#skipsSpace()) continue;
      const changed = this.#isolatedOptions(options);
      if (changed !== undefined) {
        // The options hold to the end of the group, for what follows a | too.
        branch.items.push(this.#choice(changed));
        branch.literals = '';
        continue;
      }
      const isLiteral = this.#isLiteral(next);
      const atom = this.#atom(options);
      if (atom === undefined) continue;
      const item = this.#quantified(atom, options);
      branch.items.push(item);
      branch.literals = options.ignoreCase && isLiteral && item === atom ? branch.literals + next : '';
      if (foldsTogether(branch.literals)) {
        throw this.#unsupported(`"${branch.literals}", which is one character in another case,`);
      }
    }
    this.#depth--;
    return branches.length === 1 ? branches[0]! : { kind: 'choice', options: branches };
  }

  #isLiteral(character: string): boolean {
    return !'\\[(.^$*+?'.includes(character);
  }

  /** In extended form. */
  #skipsSpace(): boolean {
    const next = this.#characters[this.#at]!;
    if (next === '#') {
      while (this.#at < this.#characters.length && this.#characters[this.#at] !== '\n') this.#at++;
      return true;
    }
    if (!/[\t\n\v\f\r ]/.test(next)) return false;
    this.#at++;
    return true;
  }

  /** `(?i)` and the like: the options that hold from there on. */
  #isolatedOptions(options: Options): Options | undefined {
    const match = /^\(\?([a-zA-Z-]*)\)/.exec(this.#rest(20));
    if (match === null) return undefined;
    const changed = this.#changed(options, match[1]!);
    this.#at += match[0].length;
    return changed;
  }

  #changed(options: Options, letters: string): Options {
    const match = /^([imx]*)(?:-([imx]*))?$/.exec(letters);
    if (match === null) throw this.#unsupported(`the option ${this.#rest(letters.length + 2)}`);
    const holds = (letter: string, now: boolean): boolean =>
      (now || match[1]!.includes(letter)) && !match[2]?.includes(letter);
    return {
      ignoreCase: holds('i', options.ignoreCase),
      dotAll: holds('m', options.dotAll),
      extended: holds('x', options.extended),
    };
  }

  /** One element without its quantifier; undefined for a comment. */
  #atom(options: Options): PatternNode | undefined {
    const character = this.#characters[this.#at]!;
    switch (character) {
      case '[':
        return this.#cased(this.#class(0), options);
      case '(':
        return this.#group(options);
      case '\\':
        return this.#escapeOutside(options);
      case '.':
        this.#at++;
        return { kind: 'class', source: options.dotAll ? anything : notLineFeed };
      case '^':
        this.#at++;
        return { kind: 'anchor', at: 'lineStart' };
      case '$':
        this.#at++;
        return { kind: 'anchor', at: 'lineEnd' };
      case '*':
      case '+':
      case '?':
        throw new PatternError(`has nothing to repeat before the ${character} (character ${this.#at + 1})`);
      default:
        this.#at++;
        return this.#character(character.codePointAt(0)!, options);
    }
  }

  #character(code: number, options: Options): PatternNode {
    if (!options.ignoreCase) return { kind: 'character', code };
    const cased = this.#cased(`[${codePoint(code)}]`, options);
    return cased.kind === 'class' && cased.source === `[${codePoint(code)}]` ? { kind: 'character', code } : cased;
  }

  #cased(source: string, options: Options): PatternNode {
    if (!options.ignoreCase) return { kind: 'class', source };
    const cased = ignoringCase(source);
    if (cased === undefined) {
      throw this.#unsupported('a class with characters that are several in another case (like ß), case ignored,');
    }
    return { kind: 'class', source: cased };
  }

  #group(options: Options): PatternNode | undefined {
    const rest = this.#rest(30);
    if (rest.startsWith('(?#')) {
      while (this.#characters[this.#at] !== ')') {
        if (this.#at >= this.#characters.length) throw new PatternError('has a comment without its )');
        this.#at += this.#characters[this.#at] === '\\' ? 2 : 1;
      }
      this.#at++;
      return undefined;
    }
    if (!rest.startsWith('(?')) {
      if (rest.startsWith('(*')) throw this.#unsupported(`the group ${this.#rest(4)}`);
      // What is captured is of no use here.
      this.#at++;
      return this.#groupBody(options);
    }
    for (const [opening, wrap] of groups) {
      if (!rest.startsWith(opening)) continue;
      this.#at += opening.length;
      return wrap(this.#groupBody(options));
    }
    const named = /^\(\?(?:<[A-Za-z_]\w*>|'[A-Za-z_]\w*')/.exec(rest);
    if (named !== null) {
      this.#at += named[0].length;
      return this.#groupBody(options);
    }
    const optioned = /^\(\?([a-zA-Z-]+):/.exec(rest);
    if (optioned === null) throw this.#unsupported(`the group ${this.#rest(4)}`);
    const changed = this.#changed(options, optioned[1]!);
    this.#at += optioned[0].length;
    return this.#groupBody(changed);
  }

  #groupBody(options: Options): PatternNode {
    const body = this.#choice(options);
    if (this.#characters[this.#at] !== ')') throw new PatternError('has a ( without its )');
    this.#at++;
    return body;
  }

  /** An element with the quantifiers that follow it; each applies to all before. */
  #quantified(atom: PatternNode, options: Options): PatternNode {
    let node = atom;
    for (;;) {
      while (options.extended && this.#at < this.#characters.length && this.#skipsSpace());
      const found = this.#quantifier();
      if (found === undefined) return node;
      if (node.kind === 'anchor' || node.kind === 'look') throw this.#unsupported('a quantifier of an anchor');
      node = { kind: 'repeat', body: node, ...found };
    }
  }

  #quantifier(): { min: number; max: number; mode: 'greedy' | 'lazy' | 'possessive' } | undefined {
    const simple = { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] }[this.#characters[this.#at] ?? ''];
    if (simple !== undefined) {
      this.#at++;
      const suffix = this.#characters[this.#at];
      const mode = suffix === '?' ? 'lazy' : suffix === '+' ? 'possessive' : 'greedy';
      if (mode !== 'greedy') this.#at++;
      return { min: simple[0]!, max: simple[1]!, mode };
    }
    const match = /^\{(?:(\d+)(,(\d*))?|,(\d+))\}/.exec(this.#rest(20));
    if (match === null) return undefined;
    this.#at += match[0].length;
    const low = Number(match[1] ?? 0);
    const last = match[4] ?? match[3];
    const high = last === undefined ? low : last === '' ? Infinity : Number(last);
    if (Math.max(low, high === Infinity ? 0 : high) > largestRepeat) {
      throw new PatternError(`repeats more often than ${largestRepeat} times: ${match[0]}`);
    }
    // {3,1} is {1,3}, possessive.
    if (low > high) return { min: high, max: low, mode: 'possessive' };
    const isFixed = match[1] !== undefined && match[2] === undefined;
    if (isFixed || this.#characters[this.#at] !== '?') return { min: low, max: high, mode: 'greedy' };
    this.#at++;
    return { min: low, max: high, mode: 'lazy' };
  }

  #escapeOutside(options: Options): PatternNode {
    const name = this.#characters[this.#at + 1];
    if (name === undefined) throw new PatternError('ends with a backslash');
    const anchor = Object.hasOwn(anchors, name) ? anchors[name] : undefined;
    if (anchor !== undefined) {
      this.#at += 2;
      return { kind: 'anchor', at: anchor };
    }
    if (name === 'R') {
      this.#at += 2;
      const lineEnd = sequence([
        { kind: 'character', code: 13 },
        { kind: 'character', code: 10 },
      ]);
      const other: PatternNode = { kind: 'class', source: '[\\u{a}-\\u{d}\\u{85}\\u{2028}\\u{2029}]' };
      return { kind: 'atomic', body: { kind: 'choice', options: [lineEnd, other] } };
    }
    if (name === 'N' || name === 'O') {
      this.#at += 2;
      return { kind: 'class', source: name === 'N' ? notLineFeed : anything };
    }
    const escape = this.#escape(false);
    return escape.kind === 'set' ? this.#cased(escape.source, options) : this.#character(escape.code, options);
  }

  /** What a backslash means inside a class and outside: a set or a character. */
  #escape(inClass: boolean): { kind: 'set'; source: string } | { kind: 'character'; code: number } {
    const name = this.#characters[this.#at + 1];
    if (name === undefined) throw new PatternError('ends with a backslash');
    if (name === 'p' || name === 'P') return { kind: 'set', source: this.#property(inClass) };
    const set = escapeClass(name, inClass);
    if (set !== undefined) {
      this.#at += 2;
      return { kind: 'set', source: set };
    }
    const code = this.#codeEscape(name);
    if (code !== undefined) return { kind: 'character', code };
    if (/[A-Za-z0-9]/.test(name)) throw this.#unsupported(`the escape \\${name}`);
    this.#at += 2;
    return { kind: 'character', code: name.codePointAt(0)! };
  }

  #codeEscape(name: string): number | undefined {
    if (Object.hasOwn(controls, name)) {
      this.#at += 2;
      return controls[name];
    }
    const rest = this.#rest(16);
    const match =
      /^\\x\{\s*([0-9a-fA-F]{1,8})\s*\}/.exec(rest) ??
      /^\\u([0-9a-fA-F]{4})/.exec(rest) ??
      /^\\x([0-9a-fA-F]{2})/.exec(rest) ??
      /^\\(0[0-7]{0,2})/.exec(rest);
    if (match === null) return undefined;
    const isOctal = match[0][1] === '0';
    const code = Number.parseInt(match[1]!, isOctal ? 8 : 16);
    // Two digits are a byte of UTF-8.
    if (/^\\x[^{]/.test(match[0]) && code > 0x7f) throw this.#unsupported(`the byte ${match[0]}`);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new PatternError(`has no character ${match[0]}`);
    this.#at += match[0].length;
    return code;
  }

  #property(inClass: boolean): string {
    const match = /^\\([pP])\{(\^?)([A-Za-z_ -]{1,60})\}/.exec(this.#rest(70));
    if (match === null) throw this.#unsupported(`the property ${this.#rest(12)}`);
    const [all, letter, caret, name] = match;
    const source = propertyClass(name!, inClass);
    if (source === undefined) throw this.#unsupported(`the property ${all}`);
    this.#at += all.length;
    return (letter === 'P') !== (caret === '^') ? complement(source) : source;
  }

  /** A class, from its `[` to its `]`: unions between `&&`. */
  #class(depth: number): string {
    if (depth > deepestNesting) throw new PatternError(`nests classes deeper than ${deepestNesting}`);
    this.#at++;
    const negated = this.#characters[this.#at] === '^';
    if (negated) this.#at++;
    const unions: string[] = [];
    let union = '';
    for (;;) {
      if (this.#at >= this.#characters.length) throw new PatternError('has a class without its ]');
      if (this.#characters[this.#at] === ']') break;
      if (this.#rest(2) === '&&') {
        this.#at += 2;
        unions.push(union);
        union = '';
      } else {
        union += this.#classItem(depth);
      }
    }
    this.#at++;
    unions.push(union);
    if (unions.includes('')) throw new PatternError('has an empty class');
    const joined = unions.length === 1 ? union : unions.map((each) => `[${each}]`).join('&&');
    return `[${negated ? '^' : ''}${joined}]`;
  }

  /** A nested class, a set, a character or a range of characters. */
  #classItem(depth: number): string {
    if (this.#characters[this.#at] === '[') {
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#rest(20));
      if (posix === null) return this.#class(depth + 1);
      const source = posixClass(posix[2]!);
      if (source === undefined) throw this.#unsupported(`the bracket ${posix[0]}`);
      this.#at += posix[0].length;
      return posix[1] === '^' ? complement(source) : source;
    }
    const from = this.#classElement();
    const ranges = this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']';
    if (!ranges) return from.kind === 'set' ? from.source : codePoint(from.code);
    if (from.kind === 'set') throw this.#unsupported('a range that begins with a set');
    this.#at++;
    if (this.#rest(2) === '&&' || this.#characters[this.#at] === '[') throw this.#unsupported('a - that ends no range');
    if (this.#at >= this.#characters.length) throw new PatternError('has a class without its ]');
    const to = this.#classElement();
    if (to.kind === 'set') throw this.#unsupported('a range that ends with a set');
    if (to.code < from.code) throw new PatternError('has a range that ends before it begins');
    return `${codePoint(from.code)}-${codePoint(to.code)}`;
  }

  #classElement(): { kind: 'set'; source: string } | { kind: 'character'; code: number } {
    const character = this.#characters[this.#at]!;
    if (character === '\\' && this.#characters[this.#at + 1] === 'b') {
      this.#at += 2;
      return { kind: 'character', code: 8 };
    }
    if (character === '\\') return this.#escape(true);
    this.#at++;
    return { kind: 'character', code: character.codePointAt(0)! };
  }

  #rest(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('');
  }

  #unsupported(construct: string): PatternError {
    return new PatternError(`uses ${construct} (character ${this.#at + 1}), which is not supported`);
  }
}

/** Joins elements; a look at one character before one character is a class. */
function sequence(items: readonly PatternNode[]): PatternNode {
  const joined: PatternNode[] = [];
  for (const item of items) {
    const before = joined.at(-1);
    const own = classSource(item);
    const looked = before?.kind === 'look' && before.ahead ? classSource(before.body) : undefined;
    if (before?.kind === 'look' && own !== undefined && looked !== undefined) {
      joined[joined.length - 1] = { kind: 'class', source: `[${own}${before.negative ? '--' : '&&'}${looked}]` };
    } else {
      joined.push(item);
    }
  }
  return joined.length === 1 ? joined[0]! : { kind: 'sequence', items: joined };
}

/** The class of an element that is always one code point. */
export function classSource(node: PatternNode): string | undefined {
  if (node.kind === 'class') return node.source;
  return node.kind === 'character' ? `[${codePoint(node.code)}]` : undefined;
}

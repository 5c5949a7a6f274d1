/** Oniguruma's named sets of characters, as classes of JavaScript's regular expressions (flag `v`). */
import { classOf } from '../unicode/versions.ts';

const later = classOf.assignedInUnicode17;

/** A set of JavaScript's as Unicode 16 had it. */
function inUnicode16(source: string): string {
  return `[[${source}]--${later}]`;
}

/** U+0295 was a small letter until Unicode 17. */
const smallUntilUnicode16 = '\\u{295}';

export const anything = '[\\p{Any}]';
export const notLineFeed = '[^\\u{a}]';
const wordInClass = inUnicode16('\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}');
/** Outside of a class `\w` has the superscripts and fractions of Latin-1 too. */
export const word = `[${wordInClass}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}]`;

/** By the name in lower case without separators: what is said here before JavaScript is asked. */
const special: Readonly<Record<string, string>> = {
  alnum: inUnicode16('\\p{Alphabetic}\\p{Nd}'),
  alpha: inUnicode16('\\p{Alphabetic}'),
  ascii: '[\\p{ASCII}]',
  any: anything,
  blank: '[\\p{Zs}\\u{9}]',
  cntrl: '[\\p{Cc}]',
  digit: inUnicode16('\\p{Nd}'),
  graph: inUnicode16('[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]'),
  lower: `[${inUnicode16('\\p{Lowercase}')}${smallUntilUnicode16}]`,
  print: `[${inUnicode16('[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]')}\\p{Zs}]`,
  punct: inUnicode16('\\p{P}\\p{S}'),
  space: '[\\p{White_Space}]',
  upper: inUnicode16('\\p{Uppercase}'),
  word: wordInClass,
  xdigit: '[0-9A-Fa-f]',
};

/** Of a POSIX bracket, `[:name:]`. */
export function posixClass(name: string): string | undefined {
  return name !== 'any' && Object.hasOwn(special, name) ? special[name] : undefined;
}

/** Of an escape: `\w`, `\d`, … */
export function escapeClass(letter: string, inClass: boolean): string | undefined {
  const positive = {
    s: special['space'],
    d: special['digit'],
    w: inClass ? wordInClass : word,
    h: special['xdigit'],
  }[letter.toLowerCase()];
  return positive === undefined || letter === letter.toLowerCase() ? positive : complement(positive);
}

/** Of a property, `\p{name}`; undefined for those that Node does not know, or knows otherwise. */
export function propertyClass(name: string, inClass: boolean): string | undefined {
  const key = name.toLowerCase().replace(/[ _-]/g, '');
  if (key === 'word' && !inClass) return word;
  // Only the POSIX names have a meaning of their own; `\p{Punct}` of Oniguruma is the general category.
  if (key === 'punct') return inUnicode16('\\p{P}');
  if (Object.hasOwn(special, key)) return special[key];
  // What is reserved for pictographs is no longer in Unicode 17's list.
  if (key === 'extendedpictographic') return undefined;
  const titled = name.replace(/[A-Za-z]+/g, (part) => part[0]!.toUpperCase() + part.slice(1).toLowerCase());
  for (const each of [name, titled, name.toUpperCase()]) {
    const source = [each, `Script=${each}`].map((property) => `\\p{${property}}`).find(isClass);
    if (source === undefined) continue;
    if (['c', 'other', 'cn', 'unassigned'].includes(key)) return `[${source}${later}]`;
    if (['ll', 'lowercaseletter', 'lowercase'].includes(key)) return `[${inUnicode16(source)}${smallUntilUnicode16}]`;
    if (['lo', 'otherletter'].includes(key)) return `[${inUnicode16(source)}--[${smallUntilUnicode16}]]`;
    return inUnicode16(source);
  }
  return undefined;
}

function isClass(source: string): boolean {
  try {
    new RegExp(source, 'u');
    return true;
  } catch {
    return false;
  }
}

export function complement(source: string): string {
  return `[^${source}]`;
}

/** The inside of a class: one code point. */
export function codePoint(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

function codePointOf(character: string): string {
  return codePoint(character.codePointAt(0)!);
}

/** Characters that have another case. */
const casedCharacters = charactersUntil(0x20000, (character) => /^\p{Changes_When_Casemapped}$/v.test(character));

function charactersUntil(end: number, wanted: (character: string) => boolean): readonly string[] {
  return Array.from({ length: end }, (_, code) => String.fromCodePoint(code)).filter(wanted);
}

/** Characters whose full case folding is several characters ("ß" is "ss"), with it. */
const longFoldings: ReadonlyMap<string, string> = new Map(
  casedCharacters
    .map((character) => [character, character.toLowerCase().toUpperCase().toLowerCase()] as const)
    .filter(([, folded]) => Array.from(folded).length > 1),
);

/** Whether a text, case ignored, may match a single character, as "ss" does "ß". */
export function foldsTogether(text: string): boolean {
  const folded = text.toLowerCase();
  return [...longFoldings.values()].some((each) => folded.includes(each));
}

/** A class with every character that differs in case only; undefined where that would be several characters. */
export function ignoringCase(source: string): string | undefined {
  const test = new RegExp(`^${source}$`, 'v');
  if ([...longFoldings.keys()].some((character) => test.test(character))) return undefined;
  const caseless = new RegExp(`^${source}$`, 'iv');
  const others = casedCharacters.filter((character) => caseless.test(character) && !test.test(character));
  return others.length === 0 ? source : `[${source}[[${others.map(codePointOf).join('')}]--${later}]]`;
}

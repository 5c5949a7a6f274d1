/** Patterns as nobody would write them, drawn at random: for tests. */
import type { Random } from '@crucible/foundation';
import { hostileText } from './hostile-text.ts';

const classes = [
  ...['\\s', '\\S', '\\d', '\\D', '\\w', '\\W', '\\h', '\\p{L}', '\\p{Lu}', '\\P{N}', '\\p{^P}', '\\p{Ll}', '\\p{M}'],
  ...['\\p{So}', '\\p{Han}', '\\p{Greek}', '\\p{Word}', '\\p{Punct}', '.', '[a-z]', '[^a-z]', '[\\p{L}&&[^a-c]]'],
  ...['[[:alpha:]\\d]', '[^\\r\\n\\p{L}\\p{N}]', '[aeiou[xyz]]', '[[:^punct:]]', '[^[^a-f]&&[c-z]]', '[[:punct:]]'],
];
const literals = [
  ...[
    'a',
    'b',
    'c',
    'ab',
    ' ',
    '\\n',
    '\\r',
    '1',
    'e',
    '\u00e9',
    '\\x{e9}',
    '\\u00e9',
    's',
    't',
    '-',
    '\\.',
    '\\|',
    'k',
  ],
  ...['S', '0', '\u4e2d', '\u{1f600}', '\u03a3', '\\R'],
];
const caseless = ['a', 'b', 'ab', 'S', 'k', '\u00e9', '\u03a3', '[a-f]', 'bc'];
const anchors = ['^', '$', '\\b', '\\B', '\\A', '\\z', '\\Z'];
const quantifiers = [
  ...['*', '+', '?', '*?', '+?', '??', '*+', '++', '?+', '{2}', '{1,3}', '{2,}', '{,2}', '{1,2}?', '{3,1}', '{1,2}+'],
  ...['{2}?', ''],
];

export function randomPattern(random: Random, depth = 2): string {
  return Array.from({ length: random.pick([1, 1, 2, 3]) }, () => sequence(random, depth)).join('|');
}

function sequence(random: Random, depth: number): string {
  return Array.from({ length: random.integer(1, 3) }, () => {
    const atom = element(random, depth);
    return atom.canRepeat && random.boolean(0.5) ? atom.text + random.pick(quantifiers) : atom.text;
  }).join('');
}

function element(random: Random, depth: number): { text: string; canRepeat: boolean } {
  const kind = random.integer(0, 14);
  const repeatable = (text: string): { text: string; canRepeat: boolean } => ({ text, canRepeat: true });
  const fixed = (text: string): { text: string; canRepeat: boolean } => ({ text, canRepeat: false });
  if (kind < 5) return repeatable(random.pick(literals));
  if (kind < 9 || depth === 0) return repeatable(random.pick(classes));
  if (kind < 12) return repeatable(`${random.pick(['(', '(?:', '(?>'])}${randomPattern(random, depth - 1)})`);
  if (kind === 12) return fixed(`${random.pick(['(?=', '(?!'])}${randomPattern(random, depth - 1)})`);
  if (kind === 13)
    return fixed(`${random.pick(['(?<=', '(?<!'])}${random.pick([...literals.slice(0, 12), ...classes])})`);
  return random.boolean() ? fixed(random.pick(anchors)) : repeatable(`(?i:${random.pick(caseless)})`);
}

const letters = [
  ...[
    'a',
    'b',
    'c',
    ' ',
    '\n',
    '\r\n',
    '1',
    '\u00e9',
    'A',
    'B',
    '-',
    '.',
    'k',
    'K',
    's',
    'S',
    '\u017f',
    '\u03a3',
    '\u03c3',
  ],
  ...['\u03c2', '\u4e2d', '\u{1f600}'],
];

/** A text in which such patterns find something. */
export function textForPattern(random: Random): string {
  if (random.boolean()) return hostileText(random, { malformed: false }).toWellFormed();
  return Array.from({ length: random.integer(0, 14) }, () => random.pick(letters)).join('');
}

import { describe, expect, it } from 'vitest';
import { escapeSplitPattern, parseSplitPattern } from './split-pattern.ts';

function matches(pattern: string, text: string): string[] {
  return Array.from(text.matchAll(parseSplitPattern(pattern)), ([match]) => match);
}

describe('parseSplitPattern gives Oniguruma its meaning:', () => {
  // All of these are what tokenizers 0.23 finds.
  it.each([
    ['white space is what Unicode says', '\\s', 'a\u0085\ufeff\u3000\u200b', ['\u0085', '\u3000']],
    ['and so is what is not', '[^\\S\\n]+|\\S+', 'a\u0085\n\ufeffb', ['a', '\u0085', '\ufeffb']],
    ['digits are those of all scripts', '\\d+|\\D', '1٣x²', ['1٣', 'x', '²']],
    ['words have marks and connectors', '\\w+|\\W', 'a_\u203fe\u0301² -', ['a_\u203fe\u0301²', ' ', '-']],
    ['a dot matches all but a newline', '.', '\r\n\u2028😀', ['\r', '\u2028', '😀']],
    ['scripts go without Script=', '\\p{Han}+', 'ab漢字c', ['漢字']],
    ['a caret negates a property', '\\p{^L}+|\\P{^N}', 'a1-b', ['1-']],
    ['classes nest', '[a[bc]]+', 'xabcx', ['abc']],
    ['&& binds weakest', '[a-c\\p{Lu}&&b-zD]+', 'abxcDE', ['b', 'cD']],
    ['a caret negates the intersection', '[^\\w&&[^\\d]]+', 'ab12-', ['12-']],
    ['a hyphen at an edge is itself', '[-a]|[b-]|[\\d-]', '-ab5', ['-', 'a', 'b', '5']],
    ['ranges have escapes', '[\\x41-\\x{43}\\u0061-c]', 'ABCDabcd', ['A', 'B', 'C', 'a', 'b', 'c']],
    ['characters that v reserves are themselves', '[(){}/|&!#%]+', '({/|&!!##%})', ['({/|&!!##%})']],
    ['escaped punctuation is itself', '\\!\\-\\#[\\]\\[\\^]', '!-#]', ['!-#]']],
    ['a brace that is no quantifier is itself', 'a{x|b{2}', 'a{xbb', ['a{x', 'bb']],
    ['quantifiers may be lazy', 'a+?|b{1,2}?', 'aabb', ['a', 'a', 'b', 'b']],
    ['case is folded where it is asked for', "(?i:'s|'ll)", "'S 'ſ 'lL", ["'S", "'ſ", "'lL"]],
    ['look around', '(?<=a)b(?!c)|(?<!a)b(?=c)', 'ab abc bc b', ['b', 'b']],
    ['groups capture nothing', '(a|b)+(?:c)', 'abac', ['abac']],
  ])('%s', (_what, pattern, text, found) => {
    expect(matches(pattern, text)).toEqual(found);
  });

  it.each([
    ['a++b', 'uses the possessive quantifier ++ (character 3), which is not supported'],
    ['\\p{L}?+', 'uses the possessive quantifier ?+ (character 7), which is not supported'],
    ['(?>a)', 'uses the group (?>a (character 1), which is not supported'],
    ['(?i)a', 'uses the group (?i) (character 1), which is not supported'],
    ['a|^b', 'uses the anchor ^ (character 3), which is not supported'],
    ['b$', 'uses the anchor $ (character 2), which is not supported'],
    ['\\bword', 'uses the escape \\b (character 1), which is not supported'],
    ['(a)\\1', 'uses the escape \\1 (character 4), which is not supported'],
    ['[[:alpha:]]', 'uses the POSIX bracket [:alpha:] (character 2), which is not supported'],
    ['\\p{Klingon}', 'uses the property \\p{Klingon} (character 12), which is not supported'],
    ['\\pL', 'uses the property \\pL (character 1), which is not supported'],
    ['[a-\\d]', 'uses a range that ends with a set (character 6), which is not supported'],
    ['[\\d-x]', 'uses a range that begins with a set (character 4), which is not supported'],
    ['a{,3}', 'uses the quantifier {,n} (character 2), which is not supported'],
    ['[ab', 'has a class without its ]'],
    ['[a-', 'has a class without its ]'],
    ['[]', 'has an empty class'],
    ['[a&&]', 'has an empty class'],
    ['a\\', 'ends with a backslash'],
    ['(a', 'is not a valid regular expression: Unterminated group'],
    ['[z-a]', 'is not a valid regular expression: Range out of order in character class'],
    ['['.repeat(60), 'nests classes deeper than 50'],
    ['a'.repeat(10_001), 'is longer than 10000 characters'],
  ])('but refuses %j', (pattern, message) => {
    expect(() => parseSplitPattern(pattern)).toThrow(expect.objectContaining({ message }));
  });
});

it('escapeSplitPattern makes any text match itself alone', () => {
  const text = '<|end|> .*+?^${}()[]\\/-&& é漢😀\n';
  expect(matches(escapeSplitPattern(text), `x${text}x`)).toEqual([text]);
});

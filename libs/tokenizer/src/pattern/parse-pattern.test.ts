import { describe, expect, it } from 'vitest';
import { parsePattern } from './parse-pattern.ts';
import { programFrom } from './program.ts';

describe('parsePattern', () => {
  it.each([
    ['(a)\\1', 'uses the escape \\1 (character 4), which is not supported'],
    ['\\k<a>', 'uses the escape \\k (character 1), which is not supported'],
    ['\\g<a>', 'uses the escape \\g (character 1), which is not supported'],
    ['\\X', 'uses the escape \\X (character 1), which is not supported'],
    ['a\\K', 'uses the escape \\K (character 2), which is not supported'],
    ['\\xE9', 'uses the byte \\xE9 (character 1), which is not supported'],
    [
      '\\p{Extended_Pictographic}',
      'uses the property \\p{Extended_Pictographic} (character 1), which is not supported',
    ],
    ['\\p{Klingon}', 'uses the property \\p{Klingon} (character 1), which is not supported'],
    ['\\pL', 'uses the property \\pL (character 1), which is not supported'],
    ['[[:latin:]]', 'uses the bracket [:latin:] (character 2), which is not supported'],
    ['(?~a)', 'uses the group (?~a (character 1), which is not supported'],
    ['(?(a)b)', 'uses the group (?(a (character 1), which is not supported'],
    ['(*FAIL)', 'uses the group (*FA (character 1), which is not supported'],
    ['(?W:a)', 'uses the option (?W (character 1), which is not supported'],
    ['^*', 'uses a quantifier of an anchor (character 3), which is not supported'],
    ['[\\d-z]', 'uses a range that begins with a set (character 4), which is not supported'],
    ['[a-\\d]', 'uses a range that ends with a set (character 6), which is not supported'],
    ['(?i:ss)', 'uses "ss", which is one character in another case, (character 7), which is not supported'],
    [
      '(?i:\u00df)',
      'uses a class with characters that are several in another case (like \u00df), case ignored, (character 6), which is not supported',
    ],
    ['(?<=a*)b', 'looks back for more than 255 characters'],
    ['(a', 'has a ( without its )'],
    ['a)', 'has a ) without its ('],
    ['[a', 'has a class without its ]'],
    ['[a-', 'has a class without its ]'],
    ['[b-a]', 'has a range that ends before it begins'],
    ['[^]', 'has an empty class'],
    ['[a&&]', 'has an empty class'],
    ['a\\', 'ends with a backslash'],
    ['*a', 'has nothing to repeat before the * (character 1)'],
    ['a|+', 'has nothing to repeat before the + (character 3)'],
    ['\\x{d800}', 'has no character \\x{d800}'],
    ['a{100001}', 'repeats more often than 100000 times: {100001}'],
    ['(?:(?:ab){1000}){1000}', 'is too long when its repetitions are written out'],
    ['('.repeat(101), 'nests groups deeper than 100'],
    ['['.repeat(102), 'nests classes deeper than 100'],
    ['x'.repeat(10_001), 'is longer than 10000 characters'],
    ['(?#', 'has a comment without its )'],
  ])('says what is wrong with %s', (pattern, message) => {
    expect(() => programFrom(parsePattern(pattern))).toThrow(expect.objectContaining({ message }));
  });
});

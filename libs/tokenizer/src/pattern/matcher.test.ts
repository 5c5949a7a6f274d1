import { describe, expect, it } from 'vitest';
import { createMatcher } from './pattern.ts';

/** What a pattern matches in a text, an empty match as "". */
function matches(pattern: string, text: string, from = 0, to = text.length): string[] {
  const found: string[] = [];
  createMatcher({ Regex: pattern }, 'pattern').forEachMatch(text, from, to, (start, end) => {
    found.push(text.slice(start, end));
  });
  return found;
}

describe('Matcher', () => {
  // What Oniguruma finds; components-parity.slow.test.ts asks it about thousands more.
  it.each([
    ['a|ab', 'abab', ['a', 'a']],
    ['ab|a', 'aab', ['a', 'ab']],
    ['[a-c]+', 'abcdcba', ['abc', 'cba']],
    ['a*', 'baac', ['', 'aa', '']],
    ['a{2}', 'aaaaa', ['aa', 'aa']],
    ['a{1,2}', 'aaaaa', ['aa', 'aa', 'a']],
    ['a{,2}b', 'aaab', ['aab']],
    ['a{2,}', 'a aaa', ['aaa']],
    ['a{x}', 'a{x}', ['a{x}']],
    // Lazy, and stacked quantifiers.
    ['a+?', 'aaa', ['a', 'a', 'a']],
    ['a+?b', 'aab', ['aab']],
    ['<.*?>', '<a><b>', ['<a>', '<b>']],
    ['[a-c]{1,2}?c', 'abc', ['abc']],
    ['a{2}?b', 'aab b', ['aab', 'b']],
    ['(?:ab){1,2}+c', 'ababababc', ['ababababc']],
    // Possessive quantifiers and atomic groups give nothing back.
    ['a++a', 'aaa', []],
    ['a*+b', 'aab', ['aab']],
    ['a?+a', 'a aa', ['aa']],
    ['(?>a|ab)c', 'abc ac', ['ac']],
    ['a{3,1}a', 'aaaa', ['aaaa']],
    ['(?:ab|a)++b', 'aab aabb', ['aabb']],
    // Groups in loops.
    ['(?:ab)+', 'ababa', ['abab']],
    ['(?:a|b)*c', 'abac', ['abac']],
    ['(?:a*)*b', 'aab', ['aab']],
    ['(?:a?)+b', 'aab', ['aab']],
    ['(?:\\p{L}\\p{M}*)+', 'e\u0301a', ['e\u0301a']],
    ['(?:ab){2,3}', 'ababababab', ['ababab', 'abab']],
    ['(?:ab)*?c', 'ababc', ['ababc']],
    // Looking around.
    ['\\s+(?!\\S)|\\s+', 'a   b ', ['  ', ' ', ' ']],
    ['a(?=b)', 'ab ac', ['a']],
    ['(?<=a)b', 'ab cb', ['b']],
    ['(?<!a)b', 'ab cb', ['b']],
    ['(?<=a|bc)x', 'ax bcx cx', ['x', 'x']],
    ['(?<=\u{1f600})x', '\u{1f600}x yx', ['x']],
    ['((?=[\\p{L}])([^a-z]))+', 'ABc\u00c9', ['AB', '\u00c9']],
    ['(?:(?!b)[a-c])+', 'acbca', ['ac', 'ca']],
    // Anchors.
    ['^a', 'a\na', ['a', 'a']],
    ['a$', 'a\na', ['a', 'a']],
    ['\\Aa', 'a\na', ['a']],
    ['a\\z', 'a\na', ['a']],
    ['a\\Z', 'a\na\n', ['a']],
    ['\\bb', 'b ab', ['b']],
    ['\\Bb', 'b ab', ['b']],
    ['\\b', 'ab', ['', '']],
    ['\\ba', '\u00b2a a', ['a']],
    // Sets.
    ['.', 'a\r\n', ['a', '\r']],
    ['(?m:.)', 'a\n', ['a', '\n']],
    ['\\N+', 'a\nb', ['a', 'b']],
    ['\\O', '\n\u{1f600}', ['\n', '\u{1f600}']],
    ['\\R', 'a\r\n\n\u2028', ['\r\n', '\n', '\u2028']],
    ['\\h+', 'xfFg9', ['fF', '9']],
    ['[^\\n\\p{L}]', 'a1\n', ['1']],
    ['[\\p{L}&&[^a-c]]+', 'abxyc', ['xy']],
    ['[a-w&&[^c-g]z]+', 'abchwz', ['ab', 'hw']],
    ['[^[a-c][x-z]]+', 'abdx', ['d']],
    ['[[:alpha:][:^alnum:]]+', 'a1-', ['a', '-']],
    ['[]]', ']', 'has an empty class'],
    ['\\p{^Han}', '\u4e00a', ['a']],
    ['\\P{Han}', '\u4e00a', ['a']],
    ['\\p{greek}', '\u03b1', ['\u03b1']],
    ['\\p{lowercase_letter}', 'aA', ['a']],
    // Case.
    ["(?i:'S|'re)", "'s 'RE 'rE '\u017f", ["'s", "'RE", "'rE", "'\u017f"]],
    ['a(?i)b|c', 'aB C ac', ['aB', 'ac']],
    ['(?i:[a-c])d', 'Ad aD', ['Ad']],
    ['(?i:\u03c3)', '\u03a3\u03c3\u03c2', ['\u03a3', '\u03c3', '\u03c2']],
    ['(?i-i:a)', 'aA', ['a']],
    // Spelling.
    ['\\x{1f600}\\x41\\u0042\\t\\e\\a\\011', '\u{1f600}AB\t\u001b\u0007\t', ['\u{1f600}AB\t\u001b\u0007\t']],
    ['[\\b]', '\u0008b', ['\u0008']],
    ['(?x: a b # c\n)', 'ab', ['ab']],
    ['a(?#comment)b', 'ab', ['ab']],
    ['(?<name>a)', 'a', ['a']],
    ['\\.\\-\\ ', '.- ', ['.- ']],
  ] as [string, string, string[] | string][])('finds what Oniguruma finds: %s in %j', (pattern, text, wanted) => {
    if (typeof wanted === 'string') expect(() => matches(pattern, text)).toThrow(wanted);
    else expect(matches(pattern, text)).toEqual(wanted);
  });

  it('looks at nothing outside of the part that it is given', () => {
    expect(matches('(?<=a)b|^c|d$|\\be', 'abcdee', 1, 4)).toEqual(['d']);
    expect(matches('\\Ab', 'abc', 1)).toEqual(['b']);
    expect(matches('\\p{L}+', 'abc', 1, 2)).toEqual(['b']);
  });

  it('takes as many classes as a pattern has', () => {
    const pattern = Array.from({ length: 100 }, (_, i) => `[\\x{${(0x100 + 2 * i).toString(16)}}]x`).join('|');
    expect(matches(pattern, '\u0100x\u0101x\u01c6x')).toEqual(['\u0100x', '\u01c6x']);
  });

  it.each([
    ['(a+)+$', 'a'.repeat(40) + 'b'],
    ['(a|a)*b', 'a'.repeat(40)],
    ['(?:\\p{L}+)+!', 'a'.repeat(60)],
    ['(.*)*x', 'a'.repeat(60)],
    ['(?=(a+)+b)', 'a'.repeat(60)],
    ['(?<=(a|aa){0,60}b)c', `${'a'.repeat(200)}c`],
    ['.*.*.*.*=', 'a'.repeat(2000)],
    ['\\s+$', `${' '.repeat(50_000)}x`],
  ])('gives up on %s before it has tried for ever', (pattern, text) => {
    expect(() => matches(pattern, text)).toThrow(
      expect.objectContaining({
        code: 'resource-exhausted',
        message: `pattern: takes too long for a text of ${text.length} characters`,
      }),
    );
    // And goes on with the next text.
    expect(() => matches(pattern, 'a')).not.toThrow();
  });

  it.each([
    ["'s| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"],
    ["(?i:'s)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"],
    [
      '[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))*((?=[\\p{L}])([^A-Z]))+' +
        '|[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))+((?=[\\p{L}])([^A-Z]))*|.|\\n',
    ],
  ])('does not give up on long texts with an ordinary pattern: %s', (pattern) => {
    for (const text of [' ', 'a', 'A', '\n', '1', '.', 'ab ', 'aA', '\u{1f600}'].map((each) => each.repeat(200_000))) {
      expect(matches(pattern, text).join('')).toBe(text);
    }
  });

  it('does not recurse with the text', () => {
    expect(matches('(?:ab)+', 'ab'.repeat(300_000))).toHaveLength(1);
    expect(matches('(?:a|b)+?c', `${'ab'.repeat(300_000)}c`)).toHaveLength(1);
  });
});

import { describe, expect, it } from 'vitest';
import { AddedTokenMatcher } from './added-tokens.ts';
import type { AddedToken } from './added-tokens.ts';

function token(content: string, id: number, options: Partial<AddedToken> = {}): AddedToken {
  return { id, content, special: true, lstrip: false, rstrip: false, normalized: false, ...options };
}

describe('AddedTokenMatcher', () => {
  const matcher = new AddedTokenMatcher([
    token('<|end|>', 0),
    token('<|end|>>', 1),
    token('<mask>', 2, { lstrip: true }),
    token('</s>', 3, { rstrip: true }),
    token('$.*', 4),
    token('__proto__', 5),
  ]);

  it.each([
    ['text without tokens', 'plain', ['plain']],
    ['nothing', '', []],
    ['tokens side by side', '<|end|><|end|>', [0, 0]],
    ['text around tokens', 'a<|end|>b', ['a', 0, 'b']],
    ['the longest of those that match', '<|end|>>', [1]],
    ['the leftmost of those that match', '<<|end|>', ['<', 0]],
    ['characters that mean something in patterns', 'x$.*x', ['x', 4, 'x']],
    ['names that objects have', '__proto__', [5]],
    ['white space before a token that swallows it', 'a \u3000\n<mask> b', ['a', 2, ' b']],
    ['white space after a token that swallows it', 'a </s> \u0085\tb', ['a ', 3, 'b']],
    ['white space only once', '</s>  <mask>', [3, 2]],
    ['white space at the edges', '  <mask></s>  ', [2, 3]],
  ])('takes %s', (_what, text, parts) => {
    expect(matcher.split(text)).toEqual(parts);
  });

  it('takes any text as it is when there are no tokens', () => {
    expect(new AddedTokenMatcher([]).split('<|end|>')).toEqual(['<|end|>']);
  });

  it('does not take quadratic time over white space', () => {
    const spaces = ' '.repeat(1_000_000);
    expect(matcher.split(`a${spaces}b<mask>${spaces}</s>${spaces}`)).toEqual([`a${spaces}b`, 2, spaces, 3]);
  });

  it('finds the places of tokens', () => {
    expect(matcher.occurrences('a <mask> b<|end|>')).toEqual([
      { start: 2, end: 8 },
      { start: 10, end: 17 },
    ]);
  });
});

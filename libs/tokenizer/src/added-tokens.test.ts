import { describe, expect, it } from 'vitest';
import { type AddedToken, AddedTokenMatcher } from './added-tokens.ts';
import { addedToken } from './testing/added-token.ts';

/** Ids of tokens, and the text between them. */
function split(matcher: AddedTokenMatcher, text: string): (number | string)[] {
  const parts: (number | string)[] = [];
  let done = 0;
  for (const { id, start, end } of matcher.occurrences(text)) {
    if (start > done) parts.push(text.slice(done, start));
    parts.push(id);
    done = end;
  }
  if (done < text.length) parts.push(text.slice(done));
  return parts;
}

describe('AddedTokenMatcher', () => {
  const matcher = new AddedTokenMatcher([
    addedToken('<|end|>', 0),
    addedToken('<|end|>>', 1),
    addedToken('<mask>', 2, { lstrip: true }),
    addedToken('</s>', 3, { rstrip: true }),
    addedToken('$.*', 4),
    addedToken('__proto__', 5),
    addedToken('iron', 6, { singleWord: true }),
  ]);

  it.each([
    ['text without tokens', 'plain', ['plain']],
    ['nothing', '', []],
    ['tokens side by side', '<|end|><|end|>', [0, 0]],
    ['text around tokens', 'a<|end|>b', ['a', 0, 'b']],
    ['the longest of those that match', '<|end|>>', [1]],
    ['the leftmost of those that match', '<<|end|>', ['<', 0]],
    ['what begins like a token and goes on otherwise', '<|end|<|end|>', ['<|end|', 0]],
    ['characters that mean something in patterns', 'x$.*x', ['x', 4, 'x']],
    ['names that objects have', '__proto__', [5]],
    ['white space before a token that swallows it', 'a \u3000\n<mask> b', ['a', 2, ' b']],
    ['white space after a token that swallows it', 'a </s> \u0085\tb', ['a ', 3, 'b']],
    ['white space only once', '</s>  <mask>', [3, 2]],
    ['white space at the edges', '  <mask></s>  ', [2, 3]],
    ['single words', 'iron,iron \u00a0iron', [6, ',', 6, ' \u00a0', 6]],
    [
      'no part of a word',
      'irons environ _iron \u{1d4d0}iron iron\u0301',
      ['irons environ _iron \u{1d4d0}iron iron\u0301'],
    ],
  ])('takes %s', (_what, text, parts) => {
    expect(split(matcher, text)).toEqual(parts);
  });

  it('takes any text as it is when there are no tokens', () => {
    expect(new AddedTokenMatcher([]).occurrences('<|end|>')).toEqual([]);
  });

  it('passes over what is not allowed, with all that is in it', () => {
    const inner = new AddedTokenMatcher([addedToken('<|end|>', 0), addedToken('end', 1, { special: false })]);
    const notSpecial = (token: AddedToken): boolean => !token.special;
    expect(inner.occurrences('<|end|> end', notSpecial)).toEqual([{ id: 1, start: 8, end: 11 }]);
    const places: string[] = [];
    inner.occurrences('a<|end|>', (token, { start, end }) => places.push(`${token.content} ${start} ${end}`) === 0);
    expect(places).toEqual(['<|end|> 1 8']);
  });

  it('looks for what tokens look like', () => {
    const lower = new AddedTokenMatcher([addedToken('[CLS]', 0)], ({ content }) => content.toLowerCase());
    expect(lower.occurrences('[CLS] [cls]')).toEqual([{ id: 0, start: 6, end: 11 }]);
    expect(new AddedTokenMatcher([addedToken('x', 0)], () => '').occurrences('x')).toEqual([]);
  });

  it('does not take quadratic time over white space', () => {
    const spaces = ' '.repeat(1_000_000);
    expect(split(matcher, `a${spaces}b<mask>${spaces}</s>${spaces}`)).toEqual([`a${spaces}b`, 2, spaces, 3]);
  });
});

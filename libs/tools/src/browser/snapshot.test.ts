import { describe, expect, it } from 'vitest';
import { findInSnapshot, linesWithin, parseSnapshot } from './snapshot.ts';

const snapshot = parseSnapshot(`- generic [active] [ref=e1]:
  - generic [ref=e2]:
    - heading "Title" [level=1] [ref=e3]
    - list [ref=e4]:
      - listitem [ref=e5]:
        - generic [ref=e6]:
          - link "More" [ref=e7] [cursor=pointer]:
            - /url: /more
      - listitem [ref=e8]: Less
    - generic [ref=e9]
  - generic [ref=e10] [cursor=pointer]: Clickable
  - iframe [ref=e11]:
    - button "Inside" [ref=f1e2]`);

describe('parseSnapshot()', () => {
  it('leaves out containers that say nothing, and keeps what is within', () => {
    expect(snapshot).toEqual([
      '- heading "Title" [level=1] [ref=e3]',
      '- list [ref=e4]:',
      '  - listitem [ref=e5]:',
      '    - link "More" [ref=e7]:',
      '      - /url: /more',
      '  - listitem [ref=e8]: Less',
      '- generic [ref=e10]: Clickable',
      '- iframe [ref=e11]:',
      '  - button "Inside" [ref=f1e2]',
    ]);
  });

  it('shortens long lines, but no reference', () => {
    const [line] = parseSnapshot(`- link "${'x'.repeat(1000)}" [ref=e7] [cursor=pointer]:`);
    expect(line).toHaveLength(301);
    expect(line).toMatch(/^- link "x+… \[ref=e7\]:$/);
    const [text] = parseSnapshot(`- paragraph [ref=e8]: ${'y'.repeat(1000)}`);
    expect(text).toMatch(/^- paragraph \[ref=e8\]: y+…$/);
  });

  it('takes out what people do not see', () => {
    expect(parseSnapshot('- text: a\u200bb\u{e0041}c')).toEqual(['- text: abc']);
  });
});

describe('findInSnapshot()', () => {
  it('keeps the lines with the text, what holds them, and where links lead', () => {
    expect(findInSnapshot(snapshot, 'more')).toEqual({
      matches: 2,
      lines: ['- list [ref=e4]:', '  - listitem [ref=e5]:', '    - link "More" [ref=e7]:', '      - /url: /more'],
    });
    expect(findInSnapshot(snapshot, 'inside').lines).toEqual(['- iframe [ref=e11]:', '  - button "Inside" [ref=f1e2]']);
  });

  it('does not look into references', () => {
    expect(findInSnapshot(snapshot, 'e7')).toEqual({ matches: 0, lines: [] });
  });
});

describe('linesWithin()', () => {
  it('shows whole lines and says where to go on', () => {
    expect(linesWithin(snapshot, 1, 60)).toEqual({ text: snapshot.slice(0, 2).join('\n'), end: 2 });
    expect(linesWithin(snapshot, 3, 10)).toEqual({ text: snapshot[2], end: 3 });
    expect(linesWithin(snapshot, 8, 1000)).toEqual({ text: snapshot.slice(7).join('\n'), end: 9 });
  });
});

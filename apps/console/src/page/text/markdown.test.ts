import { expect, test } from 'vitest';
import { type Block, type Inline, parseMarkdown, splitBlocks } from './markdown.ts';

const text = (content: string): Inline => ({ kind: 'text', text: content });

/** All that a reader sees, and every address. */
function shown(nodes: readonly (Block | Inline)[]): string {
  return nodes
    .map((node) => {
      if ('children' in node) return shown(node.children);
      if (node.kind === 'list') return node.items.map(shown).join('|');
      if (node.kind === 'link') return `${node.text}<${node.address}>`;
      if (node.kind === 'citation') return `[${node.number}]`;
      return 'text' in node ? node.text : '';
    })
    .join('');
}

test('paragraphs have emphasis, code, links and citations of what is there', () => {
  expect(parseMarkdown('A **bold *word*** and `x*y*z`, see [1][7].', new Set([1]))).toEqual([
    {
      kind: 'paragraph',
      children: [
        text('A '),
        { kind: 'strong', children: [text('bold *word')] },
        text('* and '),
        { kind: 'code', text: 'x*y*z' },
        text(', see '),
        { kind: 'citation', number: 1 },
        text('[7].'),
      ],
    },
  ]);
});

test('snake_case, products and lone marks are text', () => {
  for (const plain of ['my_long_name and 2*3*4', '** no', 'a * b * c', '` open', '5_000_000', '[x] (y)', 'a [1'])
    expect(parseMarkdown(plain)).toEqual([{ kind: 'paragraph', children: [text(plain)] }]);
});

test('links lead to pages alone, and anything else is text', () => {
  const link = (label: string, address: string): Inline => ({ kind: 'link', text: label, address });
  expect(parseMarkdown('[a](https://e.org/x) https://e.org/y?z=1.')).toEqual([
    {
      kind: 'paragraph',
      children: [
        link('a', 'https://e.org/x'),
        text(' '),
        link('https://e.org/y?z=1', 'https://e.org/y?z=1'),
        text('.'),
      ],
    },
  ]);
  for (const bad of [
    '[a](javascript:alert&#40;1&#41;)',
    '[a](JaVaScRiPt:x)',
    '[a](data:text/html,x)',
    '[a](vbscript:x)',
    '[a](//evil.example)',
    '[a](/forge)',
    '[a](file:///etc/passwd)',
    '![a](x.png)',
    '<img src=x onerror=alert(1)>',
    '<script>alert(1)</script>',
    '<https:evil>',
  ])
    expect(parseMarkdown(bad)).toEqual([{ kind: 'paragraph', children: [text(bad)] }]);
});

test('a picture is its address, never a picture', () => {
  expect(parseMarkdown('![a](https://e.org/x.png)')).toEqual([
    { kind: 'paragraph', children: [text('!'), { kind: 'link', text: 'a', address: 'https://e.org/x.png' }] },
  ]);
});

test('blocks: headings, rules, quotes, code', () => {
  expect(
    parseMarkdown('# Title #\ntext\n***\n> a\n> > b\n```py\nif a < b:\n    # no heading\n\n- no list\n```\nend'),
  ).toEqual([
    { kind: 'heading', children: [text('Title')] },
    { kind: 'paragraph', children: [text('text')] },
    { kind: 'rule' },
    {
      kind: 'quote',
      children: [
        { kind: 'paragraph', children: [text('a')] },
        { kind: 'quote', children: [{ kind: 'paragraph', children: [text('b')] }] },
      ],
    },
    { kind: 'code', language: 'py', text: 'if a < b:\n    # no heading\n\n- no list' },
    { kind: 'paragraph', children: [text('end')] },
  ]);
});

test('lists have items with lists, paragraphs and code', () => {
  const paragraph = (content: string): Block => ({ kind: 'paragraph', children: [text(content)] });
  expect(parseMarkdown('3. three\n   goes on\n4. four\n   - inner\n\n   more\n\n5. five\nafter\n\nout')).toEqual([
    {
      kind: 'list',
      ordered: true,
      start: 3,
      items: [
        [paragraph('three\ngoes on')],
        [
          paragraph('four'),
          { kind: 'list', ordered: false, start: 1, items: [[paragraph('inner')]] },
          paragraph('more'),
        ],
        [paragraph('five\nafter')],
      ],
    },
    paragraph('out'),
  ]);
});

test('code that has not ended yet is code', () => {
  expect(parseMarkdown('```\nx = 1')).toEqual([{ kind: 'code', language: '', text: 'x = 1' }]);
});

test('a text in parts is the text in one', () => {
  const whole = 'one\ntwo\n\n- a\n\n  b\n- c\n\n```\nx\n\ny\n```\n\nlast\n\n1. x\n\n2. y';
  const parts = splitBlocks(whole);
  expect(parts.join('\n')).toBe(whole);
  expect(parts.flatMap((part) => parseMarkdown(part))).toEqual(parseMarkdown(whole));
  expect(parts.length).toBe(3);
});

test('hostile text ends soon, and nothing of it is lost', () => {
  const deep = `${'> '.repeat(5000)}x`;
  expect(shown(parseMarkdown(deep)).endsWith('x')).toBe(true);
  const nested = Array.from({ length: 200 }, (_, i) => `${' '.repeat(2 * i)}- x`).join('\n');
  expect(shown(parseMarkdown(nested)).match(/x/g)!.length).toBe(200);
  for (const unit of [
    '[',
    '*',
    '**a',
    '`',
    '_',
    '[a](',
    '](',
    'https://',
    '```',
    '- ',
    '1. ',
    '#',
    '> ',
    '![',
    '\n\n',
    '\\',
  ])
    expect(parseMarkdown(unit.repeat(20_000))).toBeInstanceOf(Array);
});

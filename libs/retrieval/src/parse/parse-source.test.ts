import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { mostSourceBytes, parseSource } from './parse-source.ts';
import { parseMarkdown } from './markdown.ts';

const fixture = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, '../../fixtures', name));
const bytes = (text: string): Uint8Array => Buffer.from(text);

async function blocksOf(name: string, content: Uint8Array): Promise<string[]> {
  const { documents } = await parseSource(content, name);
  const { text, blocks } = documents[0]!;
  return blocks.map(({ kind, start, end, level, page }) =>
    [kind, level ?? '', page ? `p${page} ` : '', ': ', text.slice(start, end)].join(''),
  );
}

test('a PDF gives its pages, headings and paragraphs, with lines joined', async () => {
  const { documents } = await parseSource(fixture('lighthouse.pdf'), 'lighthouse.pdf');
  expect(documents[0]).toMatchObject({ title: 'The lighthouse manual', metadata: { author: 'A. Keeper' } });
  const sentences =
    'The lamp is lit half an hour before sunset. Its wick is trimmed every four hours, and the lens is polished with chamois leather at dawn.';
  expect(await blocksOf('lighthouse.pdf', fixture('lighthouse.pdf'))).toEqual([
    'heading1p1 : Keeping the light',
    `textp1 : ${sentences} ${sentences}`,
    'textp1 : In fog the horn sounds twice a minute.',
    'heading1p2 : Stores',
    'textp2 : Paraffin is kept in the cellar, forty gallons at the most.',
  ]);
});

test('a Word document gives headings, lists and tables', async () => {
  expect(await blocksOf('bridge.docx', fixture('bridge.docx'))).toEqual([
    'heading1: Bridge report',
    'text: The northern pier has settled by eleven millimetres.',
    'heading2: Loads',
    'item: Lorries of forty tonnes',
    'item: Trams every six minutes',
    'table: Span | Load\nNorth | 310 kN',
  ]);
});

test('HTML gives what is shown', async () => {
  const html = `<!doctype html><html lang=en><head><title>A  page</title><meta name=author content="B"><style>x{}</style></head>
    <body><script>alert(1)</script><h1>Big &amp; bold</h1><p>One<br>two <b>three</b>.<div hidden>no</div>
    <ul><li>first</li><li>second</ul><pre><code>a\n  b</code></pre>
    <table><caption>Cap</caption><tr><th>k<th>v<tr><td>1<td>2</table>last`;
  const { documents } = await parseSource(bytes(html), 'page.html');
  expect(documents[0]).toMatchObject({ title: 'A page', metadata: { author: 'B', language: 'en' } });
  expect(await blocksOf('page.html', bytes(html))).toEqual([
    'heading1: Big & bold',
    'text: One two three.',
    'item: first',
    'item: second',
    'code: a\n  b',
    'table: Cap\nk | v\n1 | 2',
    'text: last',
  ]);
});

test('rows of a table are sentences of their own', async () => {
  expect(await blocksOf('t.csv', bytes('name;note\nAnn;"says ""hi""; often"\nBob;\n'))).toEqual([
    'item: name: Ann; note: says "hi"; often',
    'item: name: Bob',
  ]);
});

test('lines of JSON are documents, and wrong ones are named while the rest is taken', async () => {
  const lines = [
    '{"_id": "a", "title": "T", "text": "Body", "metadata": {"lang": "en", "n": 1, "o": {}}, "url": "u"}',
    '{"text": "no id"}',
    '{oops',
    '{"_id": "a", "text": "twice"}',
    '[]',
    '{"title": "nothing else"}',
  ];
  const { documents, failures } = await parseSource(bytes(lines.join('\n')), 'd.jsonl');
  expect(documents.map(({ part, title, text, metadata }) => ({ part, title, text, metadata }))).toEqual([
    { part: 'a', title: 'T', text: 'Body', metadata: { url: 'u', lang: 'en', n: 1 } },
    { part: '2', title: '', text: 'no id', metadata: {} },
  ]);
  expect(failures.map(({ at }) => at)).toEqual(['d.jsonl:3', 'd.jsonl:4', 'd.jsonl:5', 'd.jsonl:6']);
  expect(failures[1]!.message).toBe('d.jsonl:4: _id "a" is that of line 1 too');
});

test('a long Markdown file read in stretches has the blocks of one read at once', () => {
  const part = `# A\n\ntext *one*\n\n\`\`\`\n# not a heading\n\`\`\`\n\n- item\n\n  # inner\n\n| a |\n| - |\n| b |\n\n`;
  const times = 700;
  const long = parseMarkdown(part.repeat(times), 'x.md').blocks;
  const short = parseMarkdown(part, 'x.md').blocks;
  expect(long).toEqual(
    Array.from({ length: times }, (_, n) =>
      short.map((block) => ({ ...block, start: block.start + n * part.length, end: block.end + n * part.length })),
    ).flat(),
  );
});

describe('encodings:', () => {
  test('marks and declarations are believed', async () => {
    const text = 'Grüße, 世界';
    const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le');
    expect((await parseSource(utf16, 'a.txt')).documents[0]!.text).toBe(text);
    const html = Buffer.concat([bytes('<meta charset="gb18030"><p>'), Buffer.from([0xca, 0xc0, 0xbd, 0xe7])]);
    expect((await parseSource(html, 'a.html')).documents[0]!.text).toBe('世界');
    const gb = Buffer.from([0xca, 0xc0, 0xbd, 0xe7]);
    expect((await parseSource(gb, 'a.txt', { encoding: 'gb18030' })).documents[0]!.text).toBe('世界');
  });

  test('what is no UTF-8 is refused with its place', async () => {
    await expect(parseSource(Buffer.from([0x61, 0x62, 0xca, 0xc0]), 'dir/a.txt')).rejects.toMatchObject({
      code: 'invalid-input',
      at: 'dir/a.txt',
      message: 'dir/a.txt: it is no UTF-8 (byte 3); say its encoding, for example gb18030, big5 or windows-1252',
    });
    await expect(parseSource(bytes('x'), 'a.txt', { encoding: 'klingon' })).rejects.toThrow(
      'encoding klingon is not known',
    );
    await expect(parseSource(Buffer.from([0x61, 0, 0x62]), 'a.md')).rejects.toThrow(
      'a.md: it is no text: character 1 is NUL',
    );
  });
});

describe('bad input is refused by name:', () => {
  const bomb = (): Uint8Array => zipSync({ 'word/document.xml': new Uint8Array(65 * 1024 * 1024) }, { level: 1 });

  test.each([
    ['an encrypted PDF', 'x.pdf', () => fixture('encrypted.pdf'), 'x.pdf: it is encrypted, and needs a password'],
    ['half a PDF', 'x.pdf', () => fixture('lighthouse.pdf').subarray(0, 700), 'x.pdf: '],
    ['a PDF that is none', 'x.pdf', () => bytes('hello'), 'x.pdf: it is a damaged PDF'],
    ['a bomb', 'x.docx', bomb, 'x.docx: unpacked it has more than 67108864 bytes'],
    [
      'a zip without a document',
      'x.docx',
      () => zipSync({ 'a.xml': bytes('<a/>') }),
      'x.docx: it is no Word document: word/document.xml is not in it',
    ],
    ['a document that is no zip', 'x.docx', () => bytes('PK no'), 'x.docx: it is no zip archive, or a damaged one'],
    ['half a document', 'x.docx', () => fixture('bridge.docx').subarray(0, 9000), 'x.docx: it is no'],
    [
      'damaged XML',
      'x.docx',
      () => zipSync({ 'word/document.xml': bytes('<w:document><'), '[Content_Types].xml': bytes('<a/>') }),
      'x.docx: it is a damaged Word document',
    ],
    [
      'an unknown ending',
      'x.exe',
      () => bytes('MZ'),
      'x.exe: its ending says no known format; there are md, markdown, html',
    ],
    ['an empty file', 'x.md', () => bytes(' \n'), 'x.md: there is no text in it'],
    ['a table with a broken row', 'x.csv', () => bytes('a,b\n1,2,3\n'), 'x.csv:2: Invalid Record Length'],
    [
      'an enormous file',
      'x.txt',
      () => new Uint8Array(mostSourceBytes + 1),
      `x.txt: it is larger than ${mostSourceBytes} bytes`,
    ],
  ])('%s', async (_what, name, content, message) => {
    const error: unknown = await parseSource(content(), name).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'CrucibleError', at: expect.stringContaining(name) as string });
    expect((error as Error).message).toContain(message);
    expect(['invalid-input', 'resource-exhausted']).toContain((error as { code: string }).code);
  });

  test('HTML nested a hundred thousand deep is read', async () => {
    const { documents } = await parseSource(bytes(`${'<div>'.repeat(100_000)}deep`), 'x.html');
    expect(documents[0]!.text).toBe('deep');
  });
});

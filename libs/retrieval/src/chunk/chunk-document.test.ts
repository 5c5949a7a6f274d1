import { expect, test } from 'vitest';
import { parseHtml } from '../parse/html.ts';
import { parseMarkdown } from '../parse/markdown.ts';
import { parsePlainText } from '../parse/plain-text.ts';
import { chunkDocument, estimateTokens } from './chunk-document.ts';

const markdown = `---
title: Ships
year: 1999
---
# Ships

Intro of Dr. Smith. It is short.

## Sails

${'The mainsail is set first. '.repeat(30)}

| name | area |
| ---- | ---- |
${'| jib | 20 |\n'.repeat(20)}

### Ropes

\`\`\`
# no heading, in code

halyard()
\`\`\`

## 帆

主帆先升起来。${'然后是前帆！风大的时候要收帆。'.repeat(20)}
`;

test('passages are stretches of the text, in order, without a word lost', () => {
  const document = parseMarkdown(markdown, 'ships.md');
  const chunks = chunkDocument(document, { size: 60 });
  let end = 0;
  let rest = '';
  for (const chunk of chunks) {
    expect(chunk.start).toBeGreaterThanOrEqual(end);
    rest += document.text.slice(end, chunk.start);
    end = chunk.end;
    const text = document.text.slice(chunk.start, chunk.end);
    expect(text).toBe(text.trim());
    expect(text).not.toBe('');
  }
  expect(rest + document.text.slice(end)).toMatch(/^---\ntitle: Ships\nyear: 1999\n---\s*$/);
});

test('sections, tables and code stay whole, and sentences are not cut', () => {
  const document = parseMarkdown(markdown, 'ships.md');
  expect(document).toMatchObject({ title: 'Ships', metadata: { title: 'Ships', year: 1999 } });
  const chunks = chunkDocument(document, { size: 60 }).map((chunk) => ({
    heading: chunk.heading,
    text: document.text.slice(chunk.start, chunk.end),
  }));
  expect(chunks[0]).toEqual({ heading: 'Ships', text: '# Ships\n\nIntro of Dr. Smith. It is short.' });
  expect(new Set(chunks.map(({ heading }) => heading))).toEqual(
    new Set(['Ships', 'Ships > Sails', 'Ships > Sails > Ropes', 'Ships > 帆']),
  );
  expect(chunks.filter(({ text }) => text.includes('| jib')).map(({ text }) => text.split('| jib').length)).toEqual([
    21,
  ]);
  expect(chunks.find(({ text }) => text.includes('halyard'))!.text).toContain(
    '# no heading, in code\n\nhalyard()\n```',
  );
  for (const { text } of chunks) {
    if (text.includes('mainsail')) expect(text).toMatch(/first\.$/);
    if (text.includes('前帆')) expect(text).toMatch(/[。！]$/);
    if (!text.includes('jib')) expect(estimateTokens(text.replaceAll(/\s+/g, ' '))).toBeLessThanOrEqual(60);
  }
});

test('a sentence without end is cut, but no character is', () => {
  const text = '𠮷'.repeat(3000);
  const chunks = chunkDocument(parsePlainText(text, 'x.txt'), { size: 50 });
  expect(chunks.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
  for (const { start, end } of chunks) expect(text.slice(start, end).isWellFormed()).toBe(true);
  expect(chunks.length).toBeGreaterThan(50);
});

test('a paragraph of very many sentences, and a page of as many elements, are read', () => {
  const text = 'A word. '.repeat(300_000);
  const chunks = chunkDocument(parsePlainText(text, 'x.txt'), { size: 4000 });
  expect(chunks.length).toBeGreaterThan(100);
  expect(chunks.at(-1)!.end).toBe(text.trimEnd().length);
  expect(parseHtml('<i>a</i> '.repeat(200_000), 'x.html').text).toHaveLength(399_999);
});

/** CommonMark with tables of GitHub and front matter. The text is the source, so that offsets point into the file. */
import { fromMarkdown } from 'mdast-util-from-markdown';
import { frontmatterFromMarkdown } from 'mdast-util-frontmatter';
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table';
import { frontmatter } from 'micromark-extension-frontmatter';
import { gfmTable } from 'micromark-extension-gfm-table';
import {
  assertLength,
  type Block,
  type BlockKind,
  type Metadata,
  type MetadataValue,
  type ParsedDocument,
} from './parsed-document.ts';

interface Node {
  readonly type: string;
  readonly depth?: number;
  readonly value?: string;
  readonly children?: readonly Node[];
  readonly position?: { readonly start: { readonly offset?: number }; readonly end: { readonly offset?: number } };
}

const kinds: Readonly<Record<string, BlockKind>> = {
  heading: 'heading',
  table: 'table',
  code: 'code',
  listItem: 'item',
};

export function parseMarkdown(text: string, source: string): ParsedDocument {
  assertLength(text.length, source);
  const blocks: Block[] = [];
  let title = '';
  let metadata: Metadata = {};
  for (const section of sections(text)) {
    const tree = fromMarkdown(text.slice(section.start, section.end), {
      extensions: section.start === 0 ? [gfmTable(), frontmatter()] : [gfmTable()],
      mdastExtensions:
        section.start === 0 ? [gfmTableFromMarkdown(), frontmatterFromMarkdown()] : [gfmTableFromMarkdown()],
    }) as Node;
    for (const node of (tree.children ?? []).flatMap((child) => (child.type === 'list' ? child.children! : [child]))) {
      if (node.type === 'yaml') metadata = parseFrontMatter(node.value ?? '');
      if (node.type === 'yaml' || node.type === 'thematicBreak' || node.type === 'definition') continue;
      const { start, end } = node.position!;
      const place = { start: section.start + start.offset!, end: section.start + end.offset! };
      if (node.type === 'heading') {
        if (title === '') title = plainText(node);
        blocks.push({ kind: 'heading', ...place, level: node.depth! });
      } else blocks.push({ kind: kinds[node.type] ?? 'text', ...place });
    }
  }
  const named = metadata['title'];
  return { part: '', title: typeof named === 'string' ? named : title, text, blocks, metadata };
}

/** What a heading says, without its marks. */
export function headingText(source: string): string {
  return source
    .replace(/^#+\s*|\s*#*\s*$|\n[=-]+\s*$/g, '')
    .replaceAll(/[*_`]/g, '')
    .trim();
}

/**
 * A parser's tree takes a hundred times the room of the text. A long text is read in stretches that end before a heading of
 * the first columns, outside of fences: the same blocks, since a heading begins anew whatever was open.
 */
function sections(text: string): { readonly start: number; readonly end: number }[] {
  const least = 64 * 1024;
  if (text.length < 2 * least) return [{ start: 0, end: text.length }];
  const result: { start: number; end: number }[] = [];
  const line = /^(?:(```|~~~)|#{1,6} )/gm;
  let start = 0;
  let fence: string | undefined;
  for (let match = line.exec(text); match; match = line.exec(text)) {
    const [, mark] = match;
    if (mark !== undefined) fence = fence === undefined ? mark : fence === mark ? undefined : fence;
    else if (fence === undefined && match.index - start >= least) {
      result.push({ start, end: match.index });
      start = match.index;
    }
  }
  return [...result, { start, end: text.length }];
}

function plainText(node: Node): string {
  return node.value ?? (node.children ?? []).map(plainText).join('');
}

/** `key: value` lines; what is nested or quoted over lines is left out. */
function parseFrontMatter(yaml: string): Metadata {
  const metadata: Record<string, MetadataValue> = {};
  for (const line of yaml.split('\n')) {
    const [, key, raw] = /^([\w-]+):\s+(.+?)\s*$/.exec(line) ?? [];
    if (key === undefined || raw === undefined) continue;
    const list = /^\[(.*)\]$/.exec(raw)?.[1];
    if (list !== undefined)
      metadata[key] = list
        .split(',')
        .map((each) => unquoted(each.trim()))
        .filter((each) => each !== '');
    else if (/^-?\d+(\.\d+)?$/.test(raw)) metadata[key] = Number(raw);
    else if (raw === 'true' || raw === 'false') metadata[key] = raw === 'true';
    else if (!/^[[{|>&*!]/.test(raw)) metadata[key] = unquoted(raw);
  }
  return metadata;
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2');
}

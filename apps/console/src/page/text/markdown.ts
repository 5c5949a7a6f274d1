/**
 * The part of Markdown in which models answer, as a tree: headings, lists, quotes, code, emphasis, links. There is no
 * HTML in it and there are no pictures; what is none of these is text. Every character of what was written that is no
 * mark stands in the tree.
 *
 * Work is linear in the length of the text but for nesting, which is limited.
 */

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'strong' | 'emphasis'; readonly children: readonly Inline[] }
  /** To http, https or mailto alone. */
  | { readonly kind: 'link'; readonly text: string; readonly address: string }
  /** `[2]`, where there is such a source. */
  | { readonly kind: 'citation'; readonly number: number };

export type Block =
  | { readonly kind: 'paragraph' | 'heading'; readonly children: readonly Inline[] }
  | { readonly kind: 'code'; readonly language: string; readonly text: string }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly start: number; readonly items: readonly Block[][] }
  | { readonly kind: 'quote'; readonly children: readonly Block[] }
  | { readonly kind: 'rule' };

/** Lists in lists and quotes in quotes; what is deeper is text. */
const mostDepth = 6;

/**
 * The stretches of a text that are parsed apart from each other: where a text grows, all but the last stay the same.
 * They are cut at blank lines outside of fences that no indented line follows.
 */
export function splitBlocks(text: string): string[] {
  const parts: string[] = [];
  let lines: string[] = [];
  let fence: string | undefined;
  let blank = false;
  for (const line of text.split('\n')) {
    const isBlank = line.trim() === '';
    if (blank && !isBlank && fence === undefined && !/^\s/.test(line) && !isListItem(line)) {
      parts.push(lines.join('\n'));
      lines = [];
    }
    fence = fenceAfter(line, fence);
    lines.push(line);
    blank = isBlank;
  }
  if (lines.some((line) => line.trim() !== '')) parts.push(lines.join('\n'));
  return parts;
}

function isListItem(line: string): boolean {
  return /^([-*+]|\d{1,9}[.)])\s/.test(line);
}

function fenceAfter(line: string, open: string | undefined): string | undefined {
  const mark = /^\s{0,3}(`{3,}|~{3,})(.*)$/.exec(line);
  if (!mark) return open;
  const [, ticks, rest] = mark;
  if (open === undefined) return ticks!.startsWith('`') && rest!.includes('`') ? undefined : ticks!;
  return ticks!.startsWith(open) && rest!.trim() === '' ? undefined : open;
}

/** `sources`: the numbers that may be cited. */
export function parseMarkdown(text: string, sources: ReadonlySet<number> = new Set()): Block[] {
  return blocksOf(text.replaceAll('\r\n', '\n').split('\n'), sources, 0);
}

function blocksOf(lines: readonly string[], sources: ReadonlySet<number>, depth: number): Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const endParagraph = (): void => {
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', children: parseInline(paragraph.join('\n'), sources) });
    paragraph = [];
  };
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!;
    if (line.trim() === '') {
      endParagraph();
      at++;
      continue;
    }
    const fence = fenceAfter(line, undefined);
    if (fence !== undefined) {
      endParagraph();
      const end = indexWhere(lines, at + 1, (each) => fenceAfter(each, fence) === undefined);
      const language = line.trim().slice(fence.length).trim().split(/\s/)[0]!;
      blocks.push({ kind: 'code', language, text: lines.slice(at + 1, end).join('\n') });
      at = end + 1;
      continue;
    }
    const heading = /^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/.exec(line);
    if (heading) {
      endParagraph();
      blocks.push({ kind: 'heading', children: parseInline(heading[1]!, sources) });
      at++;
      continue;
    }
    if (/^\s{0,3}([-*_])\s*(?:\1\s*){2,}$/.test(line)) {
      endParagraph();
      blocks.push({ kind: 'rule' });
      at++;
      continue;
    }
    if (depth < mostDepth && /^\s{0,3}>/.test(line)) {
      endParagraph();
      const end = indexWhere(lines, at, (each) => !/^\s{0,3}>/.test(each));
      const inner = lines.slice(at, end).map((each) => each.replace(/^\s{0,3}> ?/, ''));
      blocks.push({ kind: 'quote', children: blocksOf(inner, sources, depth + 1) });
      at = end;
      continue;
    }
    const item = listItem(line);
    // A number in the middle of a paragraph begins no list.
    if (depth < mostDepth && item && (paragraph.length === 0 || !item.ordered || item.start === 1)) {
      endParagraph();
      const { block, end } = readList(lines, at, item, sources, depth);
      blocks.push(block);
      at = end;
      continue;
    }
    paragraph.push(line);
    at++;
  }
  endParagraph();
  return blocks;
}

interface Item {
  readonly ordered: boolean;
  readonly start: number;
  /** Columns before the text. */
  readonly indent: number;
  readonly text: string;
}

function listItem(line: string): Item | undefined {
  const found = /^(\s{0,3})([-*+]|(\d{1,9})[.)])(\s+)(.*)$/.exec(line);
  if (!found) return undefined;
  const [, before, mark, number, gap, text] = found;
  return {
    ordered: number !== undefined,
    start: Number(number ?? 1),
    indent: before!.length + mark!.length + Math.min(gap!.length, 4),
    text: text!,
  };
}

function readList(
  lines: readonly string[],
  from: number,
  first: Item,
  sources: ReadonlySet<number>,
  depth: number,
): { readonly block: Block; readonly end: number } {
  const items: Block[][] = [];
  let at = from;
  while (at < lines.length) {
    const item = listItem(lines[at]!);
    if (item?.ordered !== first.ordered) break;
    const inner = [item.text];
    at++;
    while (at < lines.length) {
      const line = lines[at]!;
      const indent = line.length - line.trimStart().length;
      if (line.trim() === '') {
        const next = lines[at + 1];
        if (next === undefined || next.trim() === '' || next.length - next.trimStart().length < 2) break;
      } else if (indent < Math.min(item.indent, 2) || (indent < item.indent && listItem(line))) {
        // A line that just goes on, as in a paragraph
        if (listItem(line) || indent > 0 || lines[at - 1]!.trim() === '' || startsBlock(line)) break;
      }
      inner.push(line.slice(Math.min(indent, item.indent)));
      at++;
    }
    items.push(blocksOf(inner, sources, depth + 1));
    // Items may stand apart.
    const next = indexWhere(lines, at, (each) => each.trim() !== '');
    if (next < lines.length && listItem(lines[next]!)?.ordered === first.ordered) at = next;
  }
  return { block: { kind: 'list', ordered: first.ordered, start: first.start, items }, end: at };
}

function startsBlock(line: string): boolean {
  return /^\s{0,3}(#{1,6}\s|>|`{3,}|~{3,})/.test(line);
}

function indexWhere(lines: readonly string[], from: number, holds: (line: string) => boolean): number {
  for (let at = from; at < lines.length; at++) if (holds(lines[at]!)) return at;
  return lines.length;
}

/** In this order, at the first place where one of them fits. Runs are bounded, so that no text takes long. */
const inlineMark =
  /(?<ticks>`+)(?<code>[^`](?:[^\n]{0,2000}?[^`])?)\k<ticks>(?!`)|\*\*(?=\S)(?<strong>(?:[^*]|\*(?!\*)){1,2000}?)(?<=\S)\*\*|(?<![\p{L}\p{N}*])\*(?=\S)(?<star>[^*\n]{1,2000}?)(?<=\S)\*(?![\p{L}\p{N}*])|(?<![\p{L}\p{N}_])_(?=\S)(?<line>[^_\n]{1,2000}?)(?<=\S)_(?![\p{L}\p{N}_])|\[(?<number>\d{1,4})\](?!\()|\[(?<label>[^\]\n]{1,500})\]\((?<target>[^\s()<>]{1,2000})\)|(?<bare>https?:\/\/[^\s<>"'`]{1,2000})/u;

function parseInline(text: string, sources: ReadonlySet<number>): Inline[] {
  const found: Inline[] = [];
  const addText = (more: string): void => {
    if (more === '') return;
    const last = found.at(-1);
    if (last?.kind === 'text') found[found.length - 1] = { kind: 'text', text: last.text + more };
    else found.push({ kind: 'text', text: more });
  };
  let at = 0;
  for (const match of text.matchAll(new RegExp(inlineMark, 'gu'))) {
    const groups = match.groups!;
    const node = inlineFrom(groups, sources);
    if (!node) continue;
    addText(text.slice(at, match.index));
    found.push(node);
    at = match.index + match[0].length;
    if (groups['bare'] !== undefined && node.kind === 'link') at -= match[0].length - node.text.length;
  }
  addText(text.slice(at));
  return found;
}

function inlineFrom(
  groups: Readonly<Record<string, string | undefined>>,
  sources: ReadonlySet<number>,
): Inline | undefined {
  const { code, strong, star, line, number, label, target, bare } = groups;
  if (code !== undefined) return { kind: 'code', text: code };
  if (strong !== undefined) return { kind: 'strong', children: parseInline(strong, sources) };
  const emphasis = star ?? line;
  if (emphasis !== undefined) return { kind: 'emphasis', children: parseInline(emphasis, sources) };
  if (number !== undefined)
    return sources.has(Number(number)) ? { kind: 'citation', number: Number(number) } : undefined;
  if (label !== undefined) {
    const address = safeAddress(target!);
    return address === undefined ? undefined : { kind: 'link', text: label, address };
  }
  // The end of a sentence is no part of the address.
  const trimmed = bare!.replace(/[.,;:!?)\]}*_]+$/u, '');
  const address = safeAddress(trimmed);
  return address === undefined ? undefined : { kind: 'link', text: trimmed, address };
}

const schemes = new Set(['http:', 'https:', 'mailto:']);

/** The address as the browser would read it; undefined where it leads to no page. */
function safeAddress(written: string): string | undefined {
  if (!URL.canParse(written)) return undefined;
  const url = new URL(written);
  return schemes.has(url.protocol) ? url.href : undefined;
}

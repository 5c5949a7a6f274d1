/** HTML as a browser would read it: what is shown, block by block. */
import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import { decodeText } from './decode-text.ts';
import { type Metadata, type ParsedDocument, TextBuilder } from './parsed-document.ts';

type Node = DefaultTreeAdapterTypes.Node;

const unseen = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'math',
  'iframe',
  'object',
  'head',
  'select',
  'button',
]);
const blocks = new Set(
  (
    'address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 ' +
    'h6 header hr html li main nav ol p pre section summary table ul'
  ).split(' '),
);

export function parseHtml(html: string, source: string): ParsedDocument {
  const document = parse(html);
  const builder = new TextBuilder(source);
  const walker = new Walker(builder);
  walker.visit(document);
  walker.flush();
  const title = textOf(find(document, 'title')) || textOf(find(document, 'h1'));
  return builder.build(title.replaceAll(/\s+/g, ' '), metadataOf(document));
}

/** The encoding that a page names in its first 1024 bytes, as browsers read it. */
export function decodeHtml(bytes: Uint8Array, source: string, encoding?: string): string {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 1024));
  const named = /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1];
  return decodeText(bytes, source, encoding ?? named);
}

class Walker {
  readonly #builder: TextBuilder;
  #inline = '';

  constructor(builder: TextBuilder) {
    this.#builder = builder;
  }

  /** Without recursion: pages may be nested as deep as they like. */
  visit(root: Node): void {
    const stack: (Node | (() => void))[] = [root];
    for (let next = stack.pop(); next; next = stack.pop()) {
      if (typeof next === 'function') {
        next();
        continue;
      }
      if (next.nodeName === '#text') this.#inline += (next as DefaultTreeAdapterTypes.TextNode).value;
      if (!('childNodes' in next) || unseen.has(next.nodeName) || isHidden(next)) continue;
      const { nodeName } = next;
      if (nodeName === 'br') this.#inline += '\n';
      if (nodeName === 'table' && !hasInner(next, 'table')) {
        this.flush();
        this.#builder.add('table', tableText(next));
        continue;
      }
      if (nodeName === 'pre') {
        this.flush();
        this.#builder.add(hasInner(next, 'code') ? 'code' : 'text', rawText(next));
        continue;
      }
      const children = next.childNodes;
      if (blocks.has(nodeName)) {
        this.flush();
        const level = /^h([1-6])$/.exec(nodeName)?.[1];
        stack.push(() => this.flush(level === undefined ? undefined : Number(level), nodeName === 'li'));
      }
      for (let i = children.length - 1; i >= 0; i--) stack.push(children[i]!);
    }
  }

  flush(level?: number, isItem = false): void {
    const text = this.#inline.replaceAll(/[^\S\n]+|\s*\n\s*/g, ' ').trim();
    this.#inline = '';
    if (level !== undefined) this.#builder.add('heading', text, { level });
    else this.#builder.add(isItem ? 'item' : 'text', text);
  }
}

function isHidden(node: Node): boolean {
  return (
    'attrs' in node &&
    node.attrs.some(({ name, value }) => name === 'hidden' || (name === 'aria-hidden' && value === 'true'))
  );
}

function* descendants(root: Node): Generator<Node, void, undefined> {
  const stack = [root];
  for (let next = stack.pop(); next; next = stack.pop()) {
    yield next;
    if (!('childNodes' in next)) continue;
    for (let i = next.childNodes.length - 1; i >= 0; i--) stack.push(next.childNodes[i]!);
  }
}

function find(root: Node, name: string): Node | undefined {
  for (const node of descendants(root)) if (node.nodeName === name) return node;
  return undefined;
}

function hasInner(root: Node, name: string): boolean {
  for (const node of descendants(root)) if (node !== root && node.nodeName === name) return true;
  return false;
}

function rawText(root: Node): string {
  let text = '';
  for (const node of descendants(root)) {
    if (node.nodeName === '#text') text += (node as DefaultTreeAdapterTypes.TextNode).value;
    if (node.nodeName === 'br') text += '\n';
  }
  return text;
}

function textOf(node: Node | undefined): string {
  return node ? rawText(node).replaceAll(/\s+/g, ' ').trim() : '';
}

/** A row a line, cells parted by ` | `. */
function tableText(table: Node): string {
  const rows: string[] = [];
  for (const node of descendants(table)) {
    if (node.nodeName === 'caption') rows.push(textOf(node));
    if (node.nodeName !== 'tr') continue;
    const cells = node.childNodes.filter(({ nodeName }) => nodeName === 'td' || nodeName === 'th');
    rows.push(cells.map(textOf).join(' | '));
  }
  return rows.join('\n');
}

function metadataOf(document: Node): Metadata {
  const wanted: Readonly<Record<string, string>> = {
    author: 'author',
    description: 'description',
    keywords: 'keywords',
  };
  const metadata: Record<string, string> = {};
  for (const node of descendants(document)) {
    if (node.nodeName === 'body') break;
    if (node.nodeName === 'html') {
      const lang = node.attrs.find(({ name }) => name === 'lang')?.value;
      if (lang) metadata['language'] = lang;
    }
    if (node.nodeName !== 'meta') continue;
    const attribute = (name: string): string => node.attrs.find((each) => each.name === name)?.value ?? '';
    const key = wanted[attribute('name').toLowerCase()];
    if (key !== undefined && attribute('content') !== '') metadata[key] = attribute('content');
  }
  return metadata;
}

/** The text of an HTML page as somebody reads it: its main part, block by block, links with where they lead. */
import { type DefaultTreeAdapterTypes, parse } from 'parse5';

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

export interface HtmlText {
  readonly title: string;
  readonly text: string;
}

const unread = new Set(
  'script style noscript template svg math iframe object embed head canvas audio video button select textarea'.split(
    ' ',
  ),
);
/** Of the page, not of what it says; left out where there is no main part. */
const surroundings = new Set(['nav', 'footer', 'aside']);
const blocks = new Set(
  (
    'address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer ' +
    'form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tr ul'
  ).split(' '),
);

/** `url`: what links are relative to, unless the page says otherwise. */
export function htmlText(html: string, url: string): HtmlText {
  const document = parse(html);
  const body = find(document, (element) => element.tagName === 'body') ?? document;
  const main = find(body, (element) => element.tagName === 'main' || attribute(element, 'role') === 'main');
  const base = find(document, (element) => element.tagName === 'base' && attribute(element, 'href') !== undefined);
  const links = base ? (URL.parse(attribute(base, 'href')!, url)?.href ?? url) : url;
  const title = find(document, (element) => element.tagName === 'title');
  let text = new Writer(links, main === undefined).write(main ?? body);
  // An empty main part is filled by a program, if at all.
  if (text === '' && main) text = new Writer(links, false).write(body);
  return { title: title ? plainText(title).replaceAll(/\s+/g, ' ').trim() : '', text };
}

class Writer {
  readonly #links: string;
  readonly #skipSurroundings: boolean;
  readonly #lines: string[] = [];
  #line = '';

  constructor(links: string, skipSurroundings: boolean) {
    this.#links = links;
    this.#skipSurroundings = skipSurroundings;
  }

  /** Without recursion: pages may be nested as deep as they like. */
  write(root: Node): string {
    const stack: (Node | (() => void))[] = [root];
    for (let next = stack.pop(); next; next = stack.pop()) {
      if (typeof next === 'function') next();
      else if (next.nodeName === '#text') this.#line += (next as DefaultTreeAdapterTypes.TextNode).value;
      else if ('childNodes' in next) stack.push(...this.#open(next));
    }
    this.#end();
    return this.#lines.join('\n');
  }

  /** What is to be visited for an element, the first last. */
  #open(node: DefaultTreeAdapterTypes.ParentNode): (Node | (() => void))[] {
    const children = [...node.childNodes].reverse();
    if (!('tagName' in node)) return children;
    const { tagName } = node;
    if (unread.has(tagName) || isHidden(node) || (this.#skipSurroundings && surroundings.has(tagName))) return [];
    if (tagName === 'br') this.#end();
    if (tagName === 'td' || tagName === 'th') return [() => void (this.#line += ' | '), ...children];
    if (tagName === 'img') this.#line += attribute(node, 'alt') ?? '';
    if (tagName === 'pre') {
      this.#end();
      this.#lines.push(
        ...plainText(node)
          .replace(/^\n|\n$/g, '')
          .split('\n'),
      );
      return [];
    }
    if (tagName === 'a') return this.#link(node, children);
    if (!blocks.has(tagName)) return children;
    this.#end();
    const level = /^h([1-6])$/.exec(tagName)?.[1];
    const mark = level !== undefined ? '#'.repeat(Number(level)) + ' ' : tagName === 'li' ? '- ' : '';
    return [() => this.#end(mark), ...children];
  }

  #link(node: Element, children: Node[]): (Node | (() => void))[] {
    const href = attribute(node, 'href');
    const target = href === undefined || href.startsWith('#') ? null : URL.parse(href, this.#links);
    if (target?.protocol !== 'http:' && target?.protocol !== 'https:') return children;
    const before = this.#line;
    this.#line = '';
    const close = (): void => {
      const label = this.#line.replaceAll(/\s+/g, ' ').trim();
      this.#line = before + (label === '' ? '' : `[${label}](${target.href})`);
    };
    // Blocks in links are rare; what they end is not lost.
    return [close, ...children];
  }

  #end(mark = ''): void {
    const line = this.#line.replaceAll(/\s+/g, ' ').replace(/^[\s|]+|[\s|]+$/g, '');
    this.#line = '';
    if (line !== '') this.#lines.push(mark + line);
  }
}

function isHidden(element: Element): boolean {
  return element.attrs.some(
    ({ name, value }) =>
      name === 'hidden' ||
      (name === 'aria-hidden' && value === 'true') ||
      (name === 'style' &&
        /display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])/i.test(value)),
  );
}

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((each) => each.name === name)?.value;
}

function* descendants(root: Node): Generator<Node, void, undefined> {
  const stack = [root];
  for (let next = stack.pop(); next; next = stack.pop()) {
    yield next;
    if ('childNodes' in next) for (const child of [...next.childNodes].reverse()) stack.push(child);
  }
}

function find(root: Node, wanted: (element: Element) => boolean): Element | undefined {
  for (const node of descendants(root)) if ('tagName' in node && wanted(node)) return node;
  return undefined;
}

function plainText(root: Node): string {
  let text = '';
  for (const node of descendants(root))
    if (node.nodeName === '#text') text += (node as DefaultTreeAdapterTypes.TextNode).value;
  return text;
}

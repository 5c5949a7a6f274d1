/** Reads a page of the web: the text of HTML, JSON and plain text, part by part. */
import { type Tool, type ToolResult } from '@crucible/prompting';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { htmlText } from './html-text.ts';
import type { NetworkGuard } from './network/guard.ts';
import { type GuardedClient, type PageRead, createGuardedClient, readPage } from './network/guarded-fetch.ts';
import { dataCharacters, leastTokens, untrusted, visibleText, withinCharacters } from './observation.ts';

export interface FetchToolOptions {
  /** Of what one call shows, 150 or more. Default 1000. */
  readonly tokens?: number;
  /** Of a page, after decompression. Default 4 MiB. */
  readonly mostBytes?: number;
  /** Of a call, in ms. Default 20,000. */
  readonly timeout?: number;
}

export interface FetchTool extends Tool, AsyncDisposable {
  readonly close: () => Promise<void>;
}

export function createFetchTool(guard: NetworkGuard, options: FetchToolOptions = {}): FetchTool {
  const { tokens = 1000, mostBytes, timeout } = options;
  if (!(tokens >= leastTokens)) throw invalidInput(`tokens: ${tokens} is below ${leastTokens}`, { at: 'tokens' });
  const client: GuardedClient = createGuardedClient(guard);
  return {
    name: 'fetch',
    description: 'shows the text of a web page; "start" reads on where a long one was cut',
    parameters: {
      type: 'object',
      properties: {
        url: { type: 'string', minLength: 1, description: 'http or https' },
        start: { type: 'integer', minimum: 0, description: 'character to begin at' },
      },
      required: ['url'],
      additionalProperties: false,
    },
    run: async ({ url, start = 0 }, { signal }): Promise<ToolResult> => {
      const page = await readPage(guard, client, String(url), {
        signal,
        ...(mostBytes !== undefined && { mostBytes }),
        ...(timeout !== undefined && { timeout }),
      });
      return { text: showPage(page, Number(start), tokens) };
    },
    close: client.close,
    [Symbol.asyncDispose]: client.close,
  };
}

function showPage(page: PageRead, start: number, tokens: number): string {
  const { title, text } = textOf(page);
  const clean = visibleText(text);
  if (start > 0 && start >= clean.length)
    throw invalidInput(`start: ${start} is past the end; the text has ${clean.length} characters`, { at: 'start' });
  const head = visibleText(`Page: ${title.slice(0, 150)} (${page.url.slice(0, 300)})`.replace(/\s+/g, ' '));
  const shown = withinCharacters(clean.slice(start), Math.max(1, dataCharacters(tokens) - head.length));
  const end = start + shown.text.length;
  const part =
    shown.omitted > 0 || start > 0
      ? ` Characters ${start} to ${end} of ${clean.length}${page.cut ? ' and more' : ''}.`
      : page.cut
        ? ' The page was too large; this is its beginning.'
        : '';
  return untrusted(
    `Read, status ${page.status}.${part}`,
    `${head}\n${shown.text.trim() === '' ? '(no text)' : shown.text}`,
  );
}

function textOf({ body, contentType, url }: PageRead): { readonly title: string; readonly text: string } {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  if (type === 'text/html' || type === 'application/xhtml+xml' || (type === '' && /^\s*</.test(decode(body, ''))))
    return htmlText(decode(body, contentType, true), url);
  if (type === '' || type.startsWith('text/') || /[/+](json|xml|yaml|javascript)$/.test(type))
    return { title: '', text: decode(body, contentType) };
  throw new CrucibleError('invalid-input', `${url} is ${type}; only HTML, JSON and text can be read`, { at: 'url' });
}

/** As browsers choose: a byte order mark, the header, the page itself, UTF-8. */
function decode(bytes: Uint8Array, contentType: string, isHtml = false): string {
  const mark =
    bytes[0] === 0xfe && bytes[1] === 0xff
      ? 'utf-16be'
      : bytes[0] === 0xff && bytes[1] === 0xfe
        ? 'utf-16le'
        : undefined;
  const header = /charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
  const head = isHtml ? new TextDecoder('latin1').decode(bytes.subarray(0, 1024)) : '';
  const meta = /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1];
  const encoding = mark ?? header ?? meta ?? 'utf-8';
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

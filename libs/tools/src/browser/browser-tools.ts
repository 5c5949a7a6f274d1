/** The browser as tools. Each shows the page as it is after the action, within a budget. */
import type { Picture, Tool, ToolResult } from '@crucible/prompting';
import { invalidInput } from '@crucible/foundation';
import { dataCharacters, leastTokens, untrusted, visibleText, withinCharacters } from '../observation.ts';
import type { BrowserSession, View } from './session.ts';
import { findInSnapshot, linesWithin, refPattern } from './snapshot.ts';

export interface BrowserToolOptions {
  /** Of what one call shows, 150 or more. Default 1000. */
  readonly tokens?: number;
  /** Keeps pictures of pages for people who read the trace; without it there are none, as models here read text. */
  readonly keepPicture?: (png: Uint8Array) => Picture;
  /** Whether every page that is shown is taken a picture of, not only when the model asks for one. Default false. */
  readonly pictures?: boolean;
}

type Schema = Readonly<Record<string, unknown>>;

const ref: Schema = { type: 'string', pattern: refPattern, description: 'of an element in the snapshot, as e12' };

export function createBrowserTools(session: BrowserSession, options: BrowserToolOptions = {}): readonly Tool[] {
  const { tokens = 1000, keepPicture, pictures = false } = options;
  if (!(tokens >= leastTokens)) throw invalidInput(`tokens: ${tokens} is below ${leastTokens}`, { at: 'tokens' });
  const found = (did: string, view: View, start = 1): ToolResult => ({ text: showView(did, view, tokens, start) });
  const picture = async (signal: AbortSignal): Promise<Picture> => keepPicture!(await session.screenshot({ signal }));
  /** A page is shown also where no picture of it can be had. */
  const show = async (signal: AbortSignal, did: string, view: View, start?: number): Promise<ToolResult> => {
    const result = found(did, view, start);
    if (!pictures || !keepPicture) return result;
    const taken = await picture(signal).catch(() => undefined);
    signal.throwIfAborted();
    return taken ? { ...result, pictures: [taken] } : result;
  };

  const tool = (
    name: string,
    description: string,
    properties: Readonly<Record<string, Schema>>,
    required: readonly string[],
    run: Tool['run'],
  ): Tool => ({
    name: `browser_${name}`,
    description,
    parameters: { type: 'object', properties, required, additionalProperties: false },
    run,
  });

  return [
    tool(
      'open',
      'opens a web page in the browser and shows its elements',
      { url: { type: 'string', minLength: 1, description: 'http or https' } },
      ['url'],
      async ({ url }, { signal }) => show(signal, 'Opened.', await session.open(String(url), { signal })),
    ),
    tool(
      'snapshot',
      'shows the page as it is now; "start" shows a long one from that line on',
      { start: { type: 'integer', minimum: 1, description: 'line to begin at' } },
      [],
      async ({ start = 1 }, { signal }) => show(signal, 'Now.', await session.view({ signal }), Number(start)),
    ),
    tool(
      'find',
      'shows the elements of the page that hold the text',
      { text: { type: 'string', minLength: 1 } },
      ['text'],
      async ({ text }, { signal }) => {
        const view = await session.view({ signal });
        const { matches, lines } = findInSnapshot(view.snapshot, String(text));
        return found(`Found ${matches}.`, { ...view, snapshot: lines });
      },
    ),
    tool('click', 'clicks on an element', { ref }, ['ref'], async (input, { signal }) =>
      show(signal, `Clicked on ${String(input['ref'])}.`, await session.click(String(input['ref']), { signal })),
    ),
    tool(
      'type',
      'replaces the text of a field',
      {
        ref,
        text: { type: 'string', maxLength: 10_000 },
        submit: { type: 'boolean', description: 'press Enter after it' },
      },
      ['ref', 'text'],
      async (input, { signal }) =>
        show(
          signal,
          `Typed into ${String(input['ref'])}.`,
          await session.type(String(input['ref']), String(input['text']), { signal, submit: input['submit'] === true }),
        ),
    ),
    tool(
      'select',
      'chooses an option of a list',
      { ref, option: { type: 'string', description: 'its label or value' } },
      ['ref', 'option'],
      async (input, { signal }) =>
        show(
          signal,
          `Chose in ${String(input['ref'])}.`,
          await session.select(String(input['ref']), String(input['option']), { signal }),
        ),
    ),
    tool(
      'scroll',
      'scrolls, for pages that load more as one does; the snapshot has what is out of sight too',
      { direction: { enum: ['up', 'down'] } },
      ['direction'],
      async ({ direction }, { signal }) =>
        show(
          signal,
          `Scrolled ${String(direction)}.`,
          await session.scroll(direction === 'up' ? 'up' : 'down', { signal }),
        ),
    ),
    tool('back', 'goes back to the page before', {}, [], async (_input, { signal }) =>
      show(signal, 'Went back.', await session.back({ signal })),
    ),
    tool(
      'tab',
      'makes another tab the current one, or closes a tab',
      {
        tab: { type: 'integer', minimum: 1, description: 'its number' },
        close: { type: 'boolean', description: 'close it instead' },
      },
      ['tab'],
      async ({ tab: number, close }, { signal }) =>
        close === true
          ? show(signal, `Closed tab ${String(number)}.`, await session.closeTab(Number(number), { signal }))
          : show(signal, `Chose tab ${String(number)}.`, await session.selectTab(Number(number), { signal })),
    ),
    ...(keepPicture
      ? [
          tool('screenshot', 'takes a picture of the page for the user', {}, [], async (_input, { signal }) => ({
            pictures: [await picture(signal)],
            text: 'A picture of the page was taken. The user sees it.',
          })),
        ]
      : []),
  ];
}

/** Before the mark of what is untrusted stands what is ours: numbers and names of actions. */
function showView(did: string, view: View, tokens: number, start: number): string {
  const { url, title, snapshot, events, tabs, tab } = view;
  if (start > 1 && start > snapshot.length)
    throw invalidInput(`start: line ${start} is past the end; the page has ${snapshot.length}`, { at: 'start' });
  const room = dataCharacters(tokens);
  const lines = [
    `Page: ${title.slice(0, 150)} (${url.slice(0, 300)})`,
    ...events.map((event) => `Event: ${event}`),
    ...(tabs.length > 1 ? tabs.map((each, place) => `Tab ${place + 1}: ${each.slice(0, 150)}`) : []),
  ];
  const head = withinCharacters(visibleText(lines.map((line) => line.replace(/\s+/g, ' ')).join('\n')), room / 2).text;
  const shown = linesWithin(snapshot, start, room - head.length);
  const about = [
    did,
    ...(tabs.length > 1 ? [`Tab ${tab} of ${tabs.length}.`] : []),
    ...(start > 1 || shown.end < snapshot.length
      ? [`Lines ${start} to ${shown.end} of ${snapshot.length}; browser_snapshot with start shows others.`]
      : []),
  ].join(' ');
  return untrusted(about, `${head}\n${shown.text === '' ? '(nothing)' : shown.text}`);
}

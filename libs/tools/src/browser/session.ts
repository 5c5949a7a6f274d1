/**
 * One task's browser: tabs, and what may be done in them. Every action has a deadline, ends when its signal says so,
 * and tells what happened beside it: dialogs, new tabs, downloads and requests that were refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser as Chromium, BrowserContext, CDPSession, Locator, Page, Request } from 'playwright-core';
import { CrucibleError, invalidInput, throwIfCancelled, withDeadline } from '@crucible/foundation';
import type { NetworkGuard } from '../network/guard.ts';
import { type Refusal, startGuardProxy } from '../network/guard-proxy.ts';
import { type Snapshot, parseSnapshot } from './snapshot.ts';

export interface SessionOptions {
  /** Of everything that the task loads, as it comes over the wire. Default 64 MiB. */
  readonly mostBytes?: number;
  /** Until a page is there, in ms. Default 15,000. */
  readonly navigationTimeout?: number;
  /** Of everything else that is done, in ms. Default 5,000. */
  readonly actionTimeout?: number;
  /** For what an action has started to be there, in ms; what takes longer is seen later. Default 1,000. */
  readonly settleTimeout?: number;
  /** Default 6; a page that opens more does not get them. */
  readonly mostTabs?: number;
}

/** What a page is after an action. Every text in it is the page's. */
export interface View {
  readonly url: string;
  readonly title: string;
  readonly snapshot: Snapshot;
  /** What happened, oldest first. */
  readonly events: readonly string[];
  /** The URLs of the tabs; the current one is `tab`, counted from 1. */
  readonly tabs: readonly string[];
  readonly tab: number;
}

interface Signal {
  readonly signal: AbortSignal;
}

export interface BrowserSession extends AsyncDisposable {
  readonly open: (url: string, options: Signal) => Promise<View>;
  readonly view: (options: Signal) => Promise<View>;
  readonly click: (ref: string, options: Signal) => Promise<View>;
  /** Replaces what is in a field; `submit` presses Enter after it. */
  readonly type: (ref: string, text: string, options: Signal & { readonly submit?: boolean }) => Promise<View>;
  /** `option`: its label or value. */
  readonly select: (ref: string, option: string, options: Signal) => Promise<View>;
  /** By most of what is seen. */
  readonly scroll: (direction: 'up' | 'down', options: Signal) => Promise<View>;
  readonly back: (options: Signal) => Promise<View>;
  readonly selectTab: (tab: number, options: Signal) => Promise<View>;
  readonly closeTab: (tab: number, options: Signal) => Promise<View>;
  /** PNG of what is seen. */
  readonly screenshot: (options: Signal) => Promise<Uint8Array>;
  readonly close: () => Promise<void>;
  readonly closed: Promise<void>;
}

const viewport = { width: 1280, height: 720 };
const mostEvents = 20;

/** Ways past a proxy; the switches of the browser close them too. */
const closeSideDoors = `for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport'])
  delete globalThis[name];`;

export async function openSession(
  chromium: Chromium,
  guard: NetworkGuard,
  options: SessionOptions = {},
): Promise<BrowserSession> {
  const { mostBytes = 64 * 2 ** 20, navigationTimeout = 15_000, actionTimeout = 5000, mostTabs = 6 } = options;
  const { settleTimeout = 1000 } = options;
  const refusals: Refusal[] = [];
  const proxy = await startGuardProxy(guard, {
    mostBytes,
    onRefused: (refusal) => {
      if (refusals.length < 1000) refusals.push(refusal);
    },
  });
  let context: BrowserContext;
  try {
    context = await chromium.newContext({
      proxy: { server: proxy.url },
      serviceWorkers: 'block',
      acceptDownloads: false,
      permissions: [],
      viewport,
      locale: 'en-US',
    });
    await context.addInitScript(closeSideDoors);
  } catch (reason) {
    await proxy.close();
    throw new CrucibleError('unavailable', `no browser context: ${firstLine(reason)}`, { cause: reason });
  }
  context.setDefaultTimeout(actionTimeout);
  context.setDefaultNavigationTimeout(navigationTimeout);

  const events: string[] = [];
  const tabs: Tab[] = [];
  let current: Tab | undefined;
  /** By us, not by a page. */
  let isOpening = false;
  let queue: Promise<unknown> = Promise.resolve();
  const ended = Promise.withResolvers<undefined>();
  const note = (event: string): void => {
    if (events.length < mostEvents) events.push(event.length > 300 ? `${event.slice(0, 300)}…` : event);
  };

  const adopt = (page: Page, isWindow: boolean): Tab => {
    const tab = new Tab(page, isWindow);
    tabs.push(tab);
    page.on('dialog', (dialog) => {
      note(`The page showed a dialog (${dialog.type()}): ${JSON.stringify(dialog.message())}. It was dismissed.`);
      // Leaving is up to us, not to the page.
      void (dialog.type() === 'beforeunload' ? dialog.accept() : dialog.dismiss()).catch(() => undefined);
    });
    page.on('download', (download) => {
      note(`A download of ${download.url()} was refused.`);
      void download.cancel().catch(() => undefined);
    });
    page.on('filechooser', () => note('The page asked for a file and got none.'));
    page.on('crash', () => note('The page crashed.'));
    page.on('close', () => {
      tabs.splice(tabs.indexOf(tab), 1);
      if (current === tab) current = tabs.at(-1);
    });
    return tab;
  };
  context.on('page', (page) => {
    if (tabs.some((tab) => tab.page === page)) return;
    if (tabs.length >= mostTabs) {
      note(`The page opened a new tab; it was closed, as ${mostTabs} are open.`);
      void page.close().catch(() => undefined);
      return;
    }
    current = adopt(page, !isOpening);
    note(`A new tab was opened; it is the current one now.`);
  });

  const currentTab = async (): Promise<Tab> => {
    if (current) return current;
    isOpening = true;
    const page = await context.newPage().finally(() => (isOpening = false));
    // The listener has adopted it.
    current = tabs.find((tab) => tab.page === page) ?? adopt(page, false);
    events.splice(0);
    return current;
  };

  const view = async (): Promise<View> => {
    const tab = await currentTab();
    const url = tab.page.url();
    for (const { target, reason } of refusals.splice(0)) {
      const event = `Refused: ${target.slice(0, 200)} (${reason.message})`;
      if (!events.includes(event)) note(event);
    }
    return {
      url,
      snapshot: await tab.snapshot(actionTimeout, note),
      title: await withDeadline(tab.page.title(), actionTimeout, 'the title of the page').catch(() => ''),
      events: events.splice(0),
      tabs: tabs.map(({ page }) => page.url()),
      tab: tabs.indexOf(tab) + 1,
    };
  };

  /** One at a time, to an end; what is cancelled is waited for by the next alone, and not for long. */
  const act = <T>(signal: AbortSignal, what: string, work: (tab: Tab) => Promise<T>): Promise<T> => {
    let doing: Promise<unknown> = Promise.resolve();
    const turn = queue.then(async () => {
      throwIfCancelled(signal, what);
      const most = navigationTimeout + 4 * actionTimeout + settleTimeout;
      try {
        const result = currentTab().then(work);
        doing = result.catch(() => undefined);
        return await untilAborted(withDeadline(result, most, what), signal);
      } catch (reason) {
        if (signal.aborted) throw cancelled(what, reason);
        if (reason instanceof CrucibleError) throw reason;
        throw browserError(what, reason, { open: chromium.isConnected() && !isClosed });
      }
    });
    queue = turn.catch(() => undefined).then(() => Promise.race([doing, sleep(2000, undefined, { ref: false })]));
    return turn;
  };
  const actAndView = (signal: AbortSignal, what: string, work: (tab: Tab) => Promise<unknown>): Promise<View> =>
    act(signal, what, async (tab) => {
      await work(tab);
      const seen: string[] = [];
      for (let looks = 1; ; looks++) {
        const now = await currentTab();
        await now.settle({ settleTimeout, navigationTimeout, note });
        const shown = await view();
        seen.push(...shown.events);
        // A window that the action has opened may come while the page is read.
        if (current === now || looks === 3) return { ...shown, events: seen };
      }
    });
  const tabAt = (tab: number): Tab => {
    const found = tabs[tab - 1];
    if (!found) throw invalidInput(`tab: there is no tab ${tab}; there are ${tabs.length}`, { at: 'tab' });
    return found;
  };

  let isClosed = false;
  const close = async (): Promise<void> => {
    if (!isClosed) {
      isClosed = true;
      await proxy.close();
      await withDeadline(context.close(), 5000, 'end of the browser context').catch(() => undefined);
      ended.resolve(undefined);
    }
    await ended.promise;
  };
  context.once('close', () => void close());

  return {
    open: (url, { signal }) => {
      const target = guard.parseUrl(url).href;
      return actAndView(signal, `opening ${url}`, (tab) =>
        tab.go(target, { signal, refusals, timeout: navigationTimeout, note }),
      );
    },
    view: ({ signal }) => act(signal, 'reading the page', view),
    click: (ref, { signal }) =>
      actAndView(signal, `a click on ${ref}`, async (tab) =>
        (await tab.at(ref, actionTimeout)).click({ signal, noWaitAfter: true }),
      ),
    type: (ref, text, { signal, submit = false }) =>
      actAndView(signal, `typing into ${ref}`, async (tab) => {
        const field = await tab.at(ref, actionTimeout);
        await field.fill(text, { signal });
        if (submit) await field.press('Enter', { signal }).catch(unlessDone);
      }),
    select: (ref, option, { signal }) =>
      actAndView(signal, `choosing in ${ref}`, async (tab) =>
        (await tab.at(ref, actionTimeout)).selectOption(option, { signal }),
      ),
    scroll: (direction, { signal }) =>
      actAndView(signal, 'scrolling', async ({ page }) => {
        await page.mouse.move(viewport.width / 2, viewport.height / 2);
        await page.mouse.wheel(0, (direction === 'down' ? 0.8 : -0.8) * viewport.height);
      }),
    back: ({ signal }) =>
      actAndView(signal, 'going back', async ({ page }) => {
        if ((await page.goBack({ waitUntil: 'commit' })) === null && page.url() === 'about:blank')
          note('There is no page before this one.');
      }),
    selectTab: (tab, { signal }) =>
      actAndView(signal, `choosing tab ${tab}`, async () => {
        current = tabAt(tab);
        await current.page.bringToFront();
      }),
    closeTab: (tab, { signal }) => actAndView(signal, `closing tab ${tab}`, () => tabAt(tab).page.close()),
    screenshot: ({ signal }) =>
      act(signal, 'a screenshot', async (tab) => {
        tab.assertReadable();
        return new Uint8Array(await tab.page.screenshot({ type: 'png', animations: 'disabled' }));
      }),
    close,
    closed: ended.promise,
    [Symbol.asyncDispose]: close,
  };
}

class Tab {
  readonly page: Page;
  readonly #pending = new Set<Request>();
  readonly #commands: Promise<CDPSession>;
  readonly #isWindow: boolean;
  #hasCommitted = false;
  /** What the page was last asked to become, redirects included. */
  #target = '';

  /** `isWindow`: a page has opened it. */
  constructor(page: Page, isWindow: boolean) {
    this.page = page;
    this.#isWindow = isWindow;
    // A page that is busy with itself takes no new one.
    this.#commands = page.context().newCDPSession(page);
    this.#commands.catch(() => undefined);
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame() && frame.url() !== 'about:blank') this.#hasCommitted = true;
    });
    page.on('request', (request) => {
      this.#pending.add(request);
      if (this.#isNavigation(request)) this.#target = request.url();
    });
    for (const event of ['requestfinished', 'requestfailed'] as const)
      page.on(event as 'requestfinished', (request) => this.#pending.delete(request));
  }

  #isNavigation(request: Request): boolean {
    // Requests of workers have no frame.
    try {
      return request.isNavigationRequest() && request.frame() === this.page.mainFrame();
    } catch {
      return false;
    }
  }

  async go(
    url: string,
    {
      signal,
      refusals,
      timeout,
      note,
    }: Signal & {
      readonly refusals: readonly Refusal[];
      readonly timeout: number;
      readonly note: (event: string) => void;
    },
  ): Promise<void> {
    const refusedBefore = refusals.length;
    const failed = await this.page.goto(url, { waitUntil: 'domcontentloaded', timeout, signal }).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    const refusal = refusals.slice(refusedBefore).find(({ target }) => isSameTarget(target, this.#target));
    if (signal.aborted) {
      await this.stop();
      throw failed ?? (signal.reason as Error);
    }
    if (refusal) {
      // What stands there now is what the proxy says.
      await this.page.goto('about:blank').catch(() => undefined);
      throw refusal.reason;
    }
    if (!failed) return;
    if (failed.name !== 'TimeoutError') {
      const [, why] = /net::(ERR_\w+)/.exec(failed.message) ?? [];
      if (why === 'ERR_ABORTED' || failed.message.includes('Download is starting')) {
        note('There is no page to show: a download, or an answer without content.');
        return;
      }
      throw new CrucibleError('unavailable', `${url} cannot be opened: ${why ?? firstLine(failed)}`, { cause: failed });
    }
    const isThere = this.page.url() !== 'about:blank' && isSameTarget(this.page.url(), this.#target);
    await this.stop();
    if (!isThere)
      throw new CrucibleError('deadline-exceeded', `${url}: no page within ${timeout} ms`, { cause: failed });
    note(`The page was still loading after ${timeout / 1000} s; it was stopped.`);
  }

  async stop(): Promise<void> {
    await this.#command('Page.stopLoading');
  }

  /** Of the browser, which does it even where the page is busy with itself. */
  async #command(name: 'Page.stopLoading' | 'Runtime.terminateExecution'): Promise<void> {
    const done = this.#commands.then((session) => session.send(name));
    await withDeadline(done, 1000, name).catch(() => undefined);
  }

  /** Waits for what an action has started, not for what a page does all the time. */
  async settle({
    settleTimeout,
    navigationTimeout,
    note,
  }: {
    readonly settleTimeout: number;
    readonly navigationTimeout: number;
    readonly note: (event: string) => void;
  }): Promise<void> {
    await sleep(100);
    const until = Date.now() + settleTimeout;
    // What a new window asks for is not seen from its beginning.
    if (this.#isWindow && !this.#hasCommitted)
      await this.page
        .waitForURL((url) => url.href !== 'about:blank', { waitUntil: 'commit', timeout: settleTimeout })
        .catch(() => undefined);
    const isNavigating = (): boolean => [...this.#pending].some((request) => this.#isNavigation(request));
    while (this.#pending.size > 0 && !isNavigating() && Date.now() < until) await sleep(25);
    const late = Date.now() + navigationTimeout;
    while (isNavigating() && Date.now() < late && !this.page.isClosed()) await sleep(25);
    if (isNavigating()) {
      await this.stop();
      note(`The next page did not come within ${navigationTimeout / 1000} s; the load was stopped.`);
    }
    if (this.page.isClosed()) return;
    for (const state of ['domcontentloaded', 'load'] as const)
      await this.page.waitForLoadState(state, { timeout: Math.max(50, until - Date.now()) }).catch(() => undefined);
  }

  assertReadable(): void {
    const { protocol } = new URL(this.page.url());
    if (!['http:', 'https:', 'about:', 'blob:', 'data:', 'chrome-error:'].includes(protocol))
      throw new CrucibleError('permission-denied', `the tab shows a page of ${protocol}, which is not read`);
  }

  async snapshot(timeout: number, note: (event: string) => void): Promise<Snapshot> {
    this.assertReadable();
    if (this.page.url().startsWith('chrome-error:')) return ['(the page could not be loaded)'];
    const read = async (): Promise<Snapshot> => parseSnapshot(await this.page.ariaSnapshot({ mode: 'ai', timeout }));
    try {
      return await read().catch(async (reason: unknown) => {
        if (this.page.isClosed()) throw reason;
        await this.#command('Runtime.terminateExecution');
        note('The page did not answer, and its program was ended.');
        return read();
      });
    } catch (reason) {
      if (this.page.isClosed()) throw reason;
      throw new CrucibleError('deadline-exceeded', `the page does not answer: no snapshot within ${timeout} ms`, {
        cause: reason,
      });
    }
  }

  async at(ref: string, timeout: number): Promise<Locator> {
    this.assertReadable();
    const locator = this.page.locator(`aria-ref=${ref}`);
    // A page that computes for ever answers nothing.
    const count = await withDeadline(
      locator.count().catch(() => 0),
      timeout,
      'the page',
    );
    if (count === 1) return locator;
    throw new CrucibleError(
      'not-found',
      `there is no element ${ref} on the page (any more); take a new snapshot and use a reference from it`,
      { at: 'ref' },
    );
  }
}

/** A tunnel is known by host and port alone. */
function isSameTarget(target: string, url: string): boolean {
  const parsed = URL.parse(url);
  if (parsed === null) return false;
  if (!/^https?:\/\//.test(target))
    return target === `${parsed.hostname}:${parsed.port || (parsed.protocol === 'https:' ? 443 : 80)}`;
  const withoutHash = (each: string): string => each.replace(/#.*/s, '');
  return withoutHash(target) === withoutHash(parsed.href);
}

function firstLine(reason: unknown): string {
  const [line] = (reason instanceof Error ? reason.message : String(reason)).split('\n');
  return line!.replace(/^\w+\.\w+: /, '');
}

function cancelled(what: string, cause?: unknown): CrucibleError {
  return new CrucibleError('cancelled', `${what} was cancelled`, { cause });
}

/** What Playwright throws, in our words; its call log says why an element could not be acted on. */
function browserError(what: string, reason: unknown, { open }: { readonly open: boolean }): CrucibleError {
  if (!open) return new CrucibleError('unavailable', `${what}: the browser is closed`, { cause: reason });
  const text = reason instanceof Error ? reason.message : String(reason);
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    const why = text.includes('intercepts pointer events')
      ? 'something else lies over the element'
      : /element is not (visible|enabled|stable|editable)/.exec(text)?.[0];
    return new CrucibleError('deadline-exceeded', `${what}: ${why ?? 'not done in time'}`, { cause: reason });
  }
  return new CrucibleError('failed-precondition', `${what}: ${firstLine(reason)}`, { cause: reason });
}

/** An action may be done while what it led to is not; that is waited for elsewhere, and longer. */
function unlessDone(reason: unknown): void {
  if (
    reason instanceof Error &&
    reason.name === 'TimeoutError' &&
    reason.message.includes('waiting for scheduled navigations')
  )
    return;
  throw reason;
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', leave, { once: true });
  work.catch(() => undefined);
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', leave));
}

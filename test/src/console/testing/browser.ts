/** Chromium for the tests of the console, and what it may not complain about. */
import axe from 'axe-core';
import { expect } from 'vitest';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findChromium } from '@crucible/tools';

export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  return chromium.launch({ ...(executablePath !== undefined && { executablePath }), args: ['--no-sandbox'] });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, of the console and of the content security policy; requests to elsewhere; dialogs. */
  readonly complaints: string[];
}

export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const { origin } = new URL(address);
  page.on('request', (request) => {
    const url = request.url();
    // What a page has made itself is asked for by a URL, too.
    if (!url.startsWith(`${origin}/`) && !url.startsWith(`blob:${origin}/`)) complaints.push(`request to ${url}`);
  });
  await page.goto(address);
  return { page, complaints };
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** By axe-core: names, roles, contrast, landmarks, order of headings. */
export async function assertAccessible(page: Page): Promise<void> {
  // Run as a debugger does, which the content security policy says nothing about.
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const { axe: loaded } = globalThis as unknown as { axe: { run: () => Promise<{ violations: unknown[] }> } };
    return (await loaded.run()).violations;
  });
  const told = (violations as Violation[]).map(({ id, nodes }) => ({
    id,
    nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary ?? ''}`),
  }));
  expect(told).toEqual([]);
}

export async function assertNoSidewaysScroll(page: Page): Promise<void> {
  const wide = await page.evaluate(`(() => {
    const width = document.documentElement.clientWidth;
    return document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll('*')]
      .filter((each) => each.getBoundingClientRect().right > width + 1)
      .map((each) => each.outerHTML.slice(0, 120));
  })()`);
  expect(wide).toEqual([]);
}

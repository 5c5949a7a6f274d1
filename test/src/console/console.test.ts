/** The console in a real Chromium, before a real gateway with all that is behind it. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ApiKeys } from '@crucible/service';
import { chromiumMissing, findChromium } from '@crucible/tools';
import {
  assertAccessible,
  assertNoSidewaysScroll,
  launchChromium,
  openPage,
  type WatchedPage,
} from './testing/browser.ts';
import { type ConsoleSystem, startConsoleSystem } from './testing/system.ts';

const timeout = 60_000;
const tea = `# Tea\n\n${'Black tea is steeped in boiling water. '.repeat(60)}\n\n# Green tea\n\nGreen tea is steeped at 75 degrees for two minutes.\n\n# White tea\n\nIt takes 80 degrees.`;

let system: ConsoleSystem;
let browser: Browser;
const opened: WatchedPage[] = [];

async function open(path: string, options?: Parameters<typeof openPage>[2]): Promise<Page> {
  const watched = await openPage(browser, `${system.url}${path}`, options);
  opened.push(watched);
  return watched.page;
}

async function ask(page: Page, question: string): Promise<void> {
  await page.getByLabel('Question').fill(question);
  await page.keyboard.press('Enter');
}

/** The answer has come to its end. */
function finished(page: Page, answers = 1): Promise<void> {
  return page
    .getByRole('button', { name: 'Copy' })
    .nth(answers - 1)
    .waitFor();
}

/** The browser tells of refusals by itself; where a test is about one, these complaints are no fault. */
function expectComplaints(wanted: RegExp): void {
  const { complaints } = opened[0]!;
  expect(complaints.length).toBeGreaterThan(0);
  expect(complaints.filter((each) => !wanted.test(each))).toEqual([]);
  complaints.length = 0;
}

const isThere = findChromium() !== undefined;

describe.skipIf(!isThere)(isThere ? 'the console' : `the console (skipped: ${chromiumMissing})`, () => {
  beforeAll(async () => {
    [system, browser] = await Promise.all([startConsoleSystem(), launchChromium()]);
    await fetch(`${system.url}/v1/knowledge/drinks/sources/tea.md`, { method: 'PUT', body: tea });
  }, 180_000);

  afterAll(async () => {
    await browser.close();
    await system.close();
  });

  /** No test may leave an error of a script, a violation of the content security policy or a request to elsewhere. */
  afterEach(async () => {
    for (const { page, complaints } of opened.splice(0)) {
      await page.context().close();
      expect(complaints).toEqual([]);
    }
  });

  test('a chat streams, and can be stopped', { timeout }, async () => {
    const page = await open('/?model=chat');
    await page.getByRole('button', { name: 'Options' }).click();
    await page.getByLabel('Temperature').fill('0');
    await page.getByLabel('Tokens of an answer').fill('24');
    await ask(page, 'Is the iron hot?');
    await finished(page);
    expect(await page.locator('.question p').textContent()).toBe('Is the iron hot?');
    expect(await page.locator('.answer .markdown').textContent()).not.toBe('');
    expect(await page.locator('.answer-foot').textContent()).toMatch(/\d+ tokens/);

    // It has no conversations, and is asked by a strategy.
    await page.getByLabel('Model').selectOption('oracle');
    expect(await page.getByLabel('Way to ask').inputValue()).toBe('direct');
    await ask(page, 'Count to a thousand.');
    await page.locator('.turn').nth(1).locator('.completion', { hasText: '1 2 3' }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('stopped', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Send' }).waitFor();
  });

  test('what is wrong is said, before and after it is sent', { timeout }, async () => {
    const page = await open('/?model=nobody');
    await ask(page, 'Who?');
    await page.getByText('model nobody does not exist').waitFor();
    await page.getByRole('button', { name: 'Options' }).click();
    await page.getByLabel('Temperature').fill('9');
    await ask(page, 'Who?');
    await page.getByText('Temperature: a number from 0 to 2 is allowed.').waitFor();
    expect(await page.getByLabel('Question').inputValue()).toBe('Who?');
    expect(await page.locator('.turn').count()).toBe(1);
    expectComplaints(/status of 404/);
  });

  test('what is uploaded can be asked about, and a citation opens the very characters', { timeout }, async () => {
    const page = await open('/knowledge?collection=cellar');
    await page.getByText('This collection is empty.').waitFor();
    const files = [
      { name: 'tea.md', mimeType: 'text/markdown', buffer: Buffer.from(tea) },
      { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 and nothing more') },
    ];
    await page.getByLabel('choose files').setInputFiles(files);
    await page.locator('.upload.done').filter({ hasText: 'tea.md' }).waitFor();
    await page.locator('.upload.failed').filter({ hasText: 'broken.pdf' }).locator('.step-warning').waitFor();
    await page.locator('.documents a').filter({ hasText: 'Tea' }).waitFor();

    await page.getByRole('link', { name: 'Chat', exact: true }).click();
    await page.getByLabel('Model').selectOption('oracle');
    await page.getByLabel('Way to ask').selectOption('rag');
    await page.getByLabel('Collection').selectOption('cellar');
    await ask(page, 'How hot is the water for green tea?');
    await finished(page);
    expect(await page.locator('.answer .markdown strong').textContent()).toBe('75 degrees');
    const source = page.getByRole('button', { name: /^Source 1/ });
    await source.click();
    const sheet = page.getByRole('dialog');
    const marked = await sheet.locator('mark').textContent();
    expect(marked).toContain('Green tea is steeped at 75 degrees for two minutes.');
    const text = await sheet.locator('.document-text').textContent();
    expect(tea).toContain(text);
    await page.keyboard.press('Escape');
    await sheet.waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.className')).toContain('citation');

    await page.getByRole('link', { name: 'Knowledge', exact: true }).click();
    await page.getByLabel('Collection').selectOption('cellar');
    await page.getByRole('searchbox').fill('"75 degrees"');
    await page.keyboard.press('Enter');
    await page.locator('.hits a').first().click();
    expect(await page.locator('.document-text mark').textContent()).toBe(marked);
    expect(new URL(page.url()).searchParams.get('start')).toBe(String(tea.indexOf(marked!)));
    expectComplaints(/status of 400/);
  });

  test('files that are dropped go in, too', { timeout }, async () => {
    const page = await open('/knowledge?collection=dropped');
    await page.locator('.drop').waitFor();
    await page.evaluate(`(() => {
      const data = new DataTransfer();
      data.items.add(new File(['Coffee is brewed at 93 degrees.'], 'coffee.txt'));
      document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    })()`);
    await page.locator('.upload.done').filter({ hasText: 'coffee.txt' }).waitFor();
    await page.locator('.documents').getByText('coffee.txt').first().waitFor();
  });

  test('a trace unfolds while the model acts, and is there again as a run', { timeout }, async () => {
    const page = await open('/?model=oracle&ask=react&collection=drinks');
    // It folds up with the answer: who begins to look after the question may be late.
    const unfolded = page.locator('.trace .step-name', { hasText: 'Observation' }).first().waitFor();
    await ask(page, 'How hot is the water for green tea?');
    await unfolded;
    await finished(page);
    expect(await page.locator('.answer .markdown').textContent()).toBe('75 degrees');
    expect(await page.locator('.trace-list').count()).toBe(0);
    await page.getByRole('button', { name: /^Trace/ }).click();
    const names = await page.locator('.trace-list > li > .step > .step-head > .step-name').allTextContents();
    expect(names.slice(0, 4)).toEqual(['Model', 'Thought', 'Action', 'Observation']);
    expect(names.at(-1)).toBe('Answer');
    await page.locator('button.passage').first().click();
    await page.getByRole('dialog').locator('mark').waitFor();
    await page.keyboard.press('Escape');

    await page.locator('.answer-foot').getByRole('link', { name: 'Run' }).click();
    await page.locator('.trace-list').waitFor();
    expect(await page.locator('.trace-list > li > .step > .step-head > .step-name').allTextContents()).toEqual(names);
    await page.getByRole('link', { name: 'All runs' }).click();
    const listed = page.locator('.run-list li', { hasText: 'How hot is the water' }).first();
    await listed.waitFor();
    expect(await listed.textContent()).toContain('ReAct · oracle · in drinks');
  });

  test('what the browser showed is in the trace, large on demand, and kept with the run', { timeout }, async () => {
    const page = await open('/?model=oracle&ask=react', { viewport: { width: 400, height: 800 } });
    await page.getByRole('button', { name: 'Options' }).click();
    await page.getByLabel('Tools').fill('browser');
    await page.getByLabel('Show what the browser shows').check();
    await ask(page, `Look at ${system.pageUrl} for me`);
    await finished(page);
    await page.getByRole('button', { name: /^Trace/ }).click();
    const pictures = page.locator('.trace').getByRole('img', { name: 'What the browser showed' });
    const sizes = (): Promise<number[]> =>
      pictures.evaluateAll((all) => all.map((each) => (each as unknown as { naturalWidth: number }).naturalWidth));
    // One of the page when it was opened, one that the model asked for.
    await expect.poll(sizes, { timeout: 10_000 }).toEqual([1280, 1280]);
    await pictures.first().click();
    const dialog = page.getByRole('dialog', { name: 'A picture of the page' });
    await dialog.getByRole('img').waitFor();
    await assertAccessible(page);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await assertNoSidewaysScroll(page);

    await page.locator('.answer-foot').getByRole('link', { name: 'Run' }).click();
    await expect.poll(sizes, { timeout: 10_000 }).toEqual([1280, 1280]);
    const runId = new URL(page.url()).searchParams.get('run')!;
    const { steps } = (await (await fetch(`${system.url}/v1/runs/${runId}`)).json()) as {
      readonly steps: readonly { readonly pictures?: readonly { readonly id: string; readonly bytes: number }[] }[];
    };
    const [first] = steps.flatMap((step) => step.pictures ?? []);
    const response = await fetch(`${system.url}/v1/runs/${runId}/pictures/${first!.id}`);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    expect((await response.arrayBuffer()).byteLength).toBe(first!.bytes);
  });

  test('nothing runs that was not allowed, and what would run is shown to the letter', { timeout }, async () => {
    const page = await open('/?model=oracle&ask=react');
    await page.getByRole('button', { name: 'Options' }).click();
    await page.getByLabel('Tools').fill('python');
    await ask(page, 'Multiply 6 by 7.');
    const card = page.getByRole('group', { name: 'May the model use python?' });
    await card.waitFor();
    expect(await card.locator('pre').textContent()).toBe('print(6 * 7)  # ⟨U+202E⟩txet');
    await card.getByLabel('Reason, if you refuse').fill('no programs today');
    await card.getByRole('button', { name: 'Refuse' }).click();
    await finished(page);
    expect(await page.locator('.approval').textContent()).toContain('Refused. “no programs today”');
    await page.getByRole('button', { name: /^Trace/ }).click();
    const observation = page.locator('.step.bad', { hasText: 'Observation' });
    expect(await observation.textContent()).toContain('no programs today');
    expect((await page.locator('.trace pre').allTextContents()).join('\n')).not.toContain('42');

    await ask(page, 'Multiply 6 by 7.');
    await page.getByRole('button', { name: 'Allow once' }).click();
    await finished(page, 2);
    await page
      .getByRole('button', { name: /^Trace/ })
      .nth(1)
      .click();
    await page.locator('.step.tool', { hasText: 'Observation' }).getByText('42', { exact: true }).waitFor();
  });

  test('two ways to ask stand side by side on one question, and stop ends both', { timeout }, async () => {
    const page = await open('/?model=oracle&ask=pal');
    await page.getByRole('button', { name: 'Side by side' }).click();
    await page.getByLabel('Way to ask, right').selectOption('direct');
    expect(new URL(page.url()).search).toBe('?model=oracle&ask=pal&model2=oracle&ask2=direct');
    await ask(page, 'Divide 64422 by 4.');
    await finished(page, 2);
    const [left, right] = await page.locator('.answer').all();
    expect(await left!.locator('.markdown').textContent()).toBe('16105.5');
    expect(await right!.locator('.markdown').textContent()).toContain('def solution');
    await left!.getByRole('button', { name: /^Trace/ }).click();
    await left!.locator('.step.good', { hasText: 'Output' }).getByText('16105.5').waitFor();

    await page.getByLabel('Way to ask, left').selectOption('direct');
    await ask(page, 'Count to a thousand.');
    await vi.waitFor(() => expect(system.modelCalls()).toBe(2), 10_000);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('stopped', { exact: true }).nth(1).waitFor();
    await vi.waitFor(() => expect(system.modelCalls()).toBe(0), 10_000);
  });

  test('a job of the forge draws its curves', { timeout }, async () => {
    const page = await open('/forge');
    const loss = page.getByRole('img', { name: /^Loss: from .* to .* at step 20/ });
    await loss.waitFor({ timeout: 40_000 });
    expect((await loss.locator('.curve').getAttribute('d'))!.split('L').length).toBeGreaterThan(1);
    await page.locator('.badge.succeeded').waitFor({ timeout: 40_000 });
    expect(await page.locator('.stage.past').count()).toBeGreaterThan(0);
    await page.getByRole('link', { name: 'Chat with A' }).waitFor({ state: 'detached' });
    await assertAccessible(page);
  });

  test('hostile answers are text: nothing of them runs, loads or leads away', { timeout }, async () => {
    const page = await open('/?model=oracle&ask=direct');
    const title = await page.title();
    await ask(page, 'Be hostile.');
    await finished(page);
    await page.getByRole('button', { name: /^Trace/ }).click();
    const answer = page.locator('.answer');
    expect(await answer.locator('img, script, iframe, svg:not(.icon), object').count()).toBe(0);
    expect(await answer.locator('.markdown').textContent()).toContain('<img src="x" onerror=');
    const links = await page.evaluate(`[...document.querySelectorAll('.answer .markdown a')].map((each) =>
      [each.getAttribute('href'), each.getAttribute('rel'), each.textContent])`);
    expect(links).toEqual([
      ['https://evil.example/x.png', 'noreferrer noopener nofollow', 'picture (https://evil.example/x.png)'],
    ]);
    expect(await page.title()).toBe(title);
  });

  test('a gateway gone mad leaves the page as it is', { timeout }, async () => {
    const page = await open('/?model=chat');
    const line = 'x'.repeat(5_000_000);
    const chunk = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
    const bodies = [`${chunk(line)}data: [DONE]\n\n`, chunk('begun'), 'data: {"choices": 7}\n\n', 'data: no json\n\n'];
    await page.route('**/v1/chat/completions', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: bodies.shift() ?? '' }),
    );
    await ask(page, 'Say much.');
    await finished(page);
    const shown = await page.locator('.answer pre').textContent();
    expect(shown).toBe(line.slice(0, 4000));
    await page.getByRole('button', { name: 'Show more (4,996,000 characters are left)' }).click();
    expect((await page.locator('.answer pre').textContent())!.length).toBe(24_000);
    for (let turn = 1; turn < 4; turn++) {
      await ask(page, 'Go on.');
      await page.locator('.turn').nth(turn).locator('.problem').waitFor();
    }
    expect(await page.locator('.turn').nth(1).textContent()).toContain('broke off before the answer was complete');
    expect(await page.locator('.turn').nth(1).locator('.markdown').textContent()).toBe('begun');
  });

  test('the keyboard alone is enough', { timeout }, async () => {
    const page = await open('/');
    const focused = (): Promise<string> =>
      page.evaluate(`(() => {
        const element = document.activeElement;
        return element.getAttribute('aria-label') ?? (element.labels?.[0] ?? element).textContent;
      })()`);
    expect(await focused()).toBe('Question');
    // From the top of the page, in its order
    await page.evaluate('document.activeElement.blur()');
    const order: string[] = [];
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      order.push(await focused());
    }
    expect(order.slice(order.indexOf('To the content'), order.indexOf('To the content') + 6)).toEqual([
      'To the content',
      'Crucible',
      'Chat',
      'Knowledge',
      'Forge',
      'Runs',
    ]);
    await page.getByRole('link', { name: 'Knowledge' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Knowledge' }).waitFor();
    await vi.waitFor(async () => expect(await page.evaluate('document.activeElement.id')).toBe('main'));
    await page.goBack();
    await page.getByRole('heading', { name: 'Chat', exact: true }).waitFor();
  });

  test('a key that is asked for is kept in the tab and sent', { timeout }, async () => {
    const folder = join(system.home, 'keys');
    const key = new ApiKeys(folder).add({ name: 'tester' });
    const gateway = await system.startGateway({ keys: folder });
    const watched = await openPage(browser, `http://${gateway.target}/?model=chat`);
    const { page } = watched;
    await page.getByRole('dialog', { name: 'API key' }).waitFor();
    await page.getByLabel('Key', { exact: true }).fill(key);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await vi.waitFor(async () =>
      expect(await page.getByLabel('Model').locator('option').allTextContents()).toContain('chat'),
    );
    expect(await page.evaluate('Object.keys(localStorage).length')).toBe(0);
    await page.reload();
    await page.getByText('What would you like to know?').waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(watched.complaints.every((each) => each.includes('401'))).toBe(true);
    await page.context().close();
    await gateway.close(0);
  });

  test.each([
    ['light', 1280],
    ['dark', 400],
  ] as const)('%s at %i px: every page can be read and used by everyone', { timeout }, async (colorScheme, width) => {
    const page = await open('/?model=oracle&ask=rag&collection=drinks', {
      colorScheme,
      viewport: { width, height: 800 },
    });
    await assertAccessible(page);
    await ask(page, 'How hot is the water for green tea?');
    await finished(page);
    await page.getByRole('button', { name: /^Trace/ }).click();
    await page.getByRole('button', { name: 'Options' }).click();
    await page.getByRole('button', { name: 'Side by side' }).click();
    await assertAccessible(page);
    await assertNoSidewaysScroll(page);
    for (const [name, sight] of [
      ['Knowledge', '.documents li'],
      ['Forge', '.curve'],
      ['Runs', '.run-list li'],
    ] as const) {
      await page.getByRole('link', { name, exact: true }).click();
      await page.locator(sight).first().waitFor();
      await assertAccessible(page);
      await assertNoSidewaysScroll(page);
    }
    await page.locator('.run-list a').first().click();
    await page.locator('.trace-list').waitFor();
    await assertNoSidewaysScroll(page);
  });

  test('the colours can be chosen, and stay', { timeout }, async () => {
    const page = await open('/', { colorScheme: 'light' });
    const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.getByLabel('Colours').selectOption('dark');
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    expect(await ground()).toBe(dark);
  });
});

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { ensureConsole } from './build-console.ts';

test('the build has what browsers need, is small, and is made once', { timeout: 120_000 }, async () => {
  const folder = await ensureConsole();
  const index = join(folder, 'index.html');
  const built = statSync(index).mtimeMs;
  const page = readFileSync(index, 'utf8');
  // The content security policy lets in neither scripts nor styles that stand in the page.
  expect(page).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/);
  const scripts = readdirSync(join(folder, 'assets')).filter((name) => name.endsWith('.js'));
  const sizes = scripts.map((name) => gzipSync(readFileSync(join(folder, 'assets', name))).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(120_000);

  expect(await ensureConsole()).toBe(folder);
  expect(statSync(index).mtimeMs).toBe(built);
});

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { renewedTensorPage, tensorPage } from './testing/capability-page.ts';

it('docs/tensor.md has a row for every primitive, as the code has it', async () => {
  const page = readFileSync(tensorPage, 'utf8');
  expect(page).toContain('<!-- capabilities -->');
  expect(page).toBe(await renewedTensorPage(page));
});

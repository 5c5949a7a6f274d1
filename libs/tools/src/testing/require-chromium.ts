import { describe } from 'vitest';
import { chromiumMissing, findChromium } from '../browser/find-chromium.ts';

/** A suite that needs Chromium: where the program is missing, it is skipped under a name that says so. */
export function requireChromium(name: string, suite: () => void): void {
  if (findChromium() === undefined) describe.skip(`${name} (skipped: ${chromiumMissing})`, suite);
  else describe(name, suite);
}

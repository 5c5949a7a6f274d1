import { findProgram, isExecutable } from '@crucible/foundation';

/** What to tell where `findChromium` finds nothing. */
export const chromiumMissing =
  'Chromium is not on PATH (Debian: apt-get install chromium; or name the program in CRUCIBLE_CHROMIUM)';

/** The browser: what CRUCIBLE_CHROMIUM names, else the first of `chromium`, `chromium-browser`, `google-chrome` on PATH. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = environment['CRUCIBLE_CHROMIUM'];
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined;
  return findProgram(['chromium', 'chromium-browser', 'google-chrome'], environment['PATH']);
}

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What to tell where `findChromium` finds nothing. */
export const chromiumMissing =
  'Chromium is not on PATH (Debian: apt-get install chromium; or name the program in CRUCIBLE_CHROMIUM)';

/** The browser: what CRUCIBLE_CHROMIUM names, else the first of `chromium`, `chromium-browser`, `google-chrome` on PATH. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = environment['CRUCIBLE_CHROMIUM'];
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined;
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

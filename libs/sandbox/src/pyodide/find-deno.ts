import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CrucibleError } from '@crucible/foundation';

/** The program of the npm package for this system. The package `deno` would copy it at install, and we run no scripts. */
export function findDeno(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('deno/package.json'));
  const libc = process.platform === 'linux' ? '-glibc' : '';
  const name = `@deno/${process.platform}-${process.arch}${libc}`;
  try {
    const program = process.platform === 'win32' ? 'deno.exe' : 'deno';
    const path = join(dirname(require.resolve(`${name}/package.json`)), program);
    if (existsSync(path)) return path;
  } catch {
    // Not among the optional packages of this system.
  }
  throw new CrucibleError('failed-precondition', `Deno is not there: npm has not installed ${name}`);
}

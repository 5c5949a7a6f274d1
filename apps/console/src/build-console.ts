/**
 * Builds the page where that is needed, so that `npm start` shows it on a fresh clone: the build keeps a digest of the
 * sources that it was made from (times of files say nothing after a checkout or in an image).
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CrucibleError } from '@crucible/foundation';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where the built page is. */
export const consoleFolder = join(root, 'dist');

const digestFile = '.sources';

/** The folder of a page that fits the sources, built before if it is not there or is older; that takes seconds. */
export async function ensureConsole(): Promise<string> {
  if (isCurrent()) return consoleFolder;
  // A process of its own: it blocks nobody who serves here, and what is set for this one (NODE_ENV=test) is not for it.
  const script = fileURLToPath(new URL('build.ts', import.meta.url));
  try {
    await promisify(execFile)(process.execPath, [script], { timeout: mostMs });
  } catch (reason) {
    const { stderr = '' } = reason as { readonly stderr?: string };
    const why = stderr.includes('ERR_MODULE_NOT_FOUND')
      ? 'its development dependencies are not installed; run npm ci'
      : `npm run build -w @crucible/console fails: ${stderr.trim().slice(-1000) || String(reason)}`;
    throw new CrucibleError('failed-precondition', `the console cannot be built: ${why}`, { cause: reason });
  }
  return consoleFolder;
}

/** Milliseconds for a build, on a machine that does much else. */
const mostMs = 120_000;

/** Builds in this process, unless what is there fits the sources. */
export async function buildConsole(): Promise<void> {
  if (isCurrent()) return;
  process.env['NODE_ENV'] = 'production';
  const { build } = await import('vite');
  const digest = digestOfSources();
  const folder = join(root, `.dist-${randomUUID()}`);
  try {
    await build({
      root,
      configFile: join(root, 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    });
    writeFileSync(join(folder, digestFile), digest);
    replaceFolder(consoleFolder, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isCurrent(): boolean {
  return builtFrom(consoleFolder) === digestOfSources();
}

/** Several processes may build at once: what one of them puts there is as good as what another does. */
function replaceFolder(target: string, folder: string): void {
  const old = join(root, `.dist-${randomUUID()}`);
  try {
    if (existsSync(target)) renameSync(target, old);
    renameSync(folder, target);
  } catch (reason) {
    if (builtFrom(target) === undefined) throw reason;
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

function builtFrom(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, digestFile), 'utf8');
  } catch {
    return undefined;
  }
}

function digestOfSources(): string {
  const hash = createHash('sha256');
  const files = [
    ...['package.json', 'tsconfig.json', 'vite.config.ts', 'index.html', 'src/build-console.ts'].map((name) =>
      join(root, name),
    ),
    ...['public', 'src/page'].flatMap((name) => filesIn(join(root, name))),
  ];
  for (const file of files.filter((name) => !/\.test\.tsx?$/.test(name))) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file).replaceAll('\\', '/')}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

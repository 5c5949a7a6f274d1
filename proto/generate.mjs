/**
 * `node proto/generate.mjs` writes the code of the .proto files; `node proto/generate.mjs --check` writes nothing and
 * fails when the files break a lint rule, are not formatted, break a client of the branch `main`, or when the code in
 * the repository is not what they generate. Run it in the root of the repository; nothing is fetched.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';

/** What each template writes, by template. */
const outputs = {
  'buf.gen.yaml': 'libs/protos/src',
  'libs/rpc/buf.gen.yaml': 'libs/rpc/src/generated',
  'libs/tensor/buf.gen.yaml': 'libs/tensor/src/lower/generated',
};

const bin = join(import.meta.dirname, '../node_modules/.bin');
const environment = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
const breakingBase = '.git#branch=main';

function buf(...parameters) {
  const { status } = spawnSync(join(bin, 'buf'), parameters, { stdio: 'inherit', env: environment });
  if (status !== 0) throw new Error(`buf ${parameters.join(' ')} failed`);
}

function generate(folder) {
  for (const template of Object.keys(outputs)) buf('generate', '--template', template, '--output', folder);
}

function check() {
  buf('lint');
  buf('format', '--diff', '--exit-code');
  if (mainHasProtos()) buf('breaking', '--against', breakingBase);
  const fresh = mkdtempSync(join(tmpdir(), 'crucible-protos-'));
  try {
    generate(fresh);
    for (const output of Object.values(outputs)) assertSame(output, join(fresh, output));
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

function mainHasProtos() {
  return spawnSync('git', ['cat-file', '-e', 'main:buf.yaml']).status === 0;
}

function assertSame(ours, fresh) {
  const [was, is] = [contents(ours), contents(fresh)];
  const stale = [...new Set([...was.keys(), ...is.keys()])].filter((name) => was.get(name) !== is.get(name));
  if (stale.length > 0) throw new Error(`${ours}: run npm run proto:generate; stale: ${stale.sort().join(', ')}`);
}

function contents(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path, 'utf8')]));
}

try {
  if (process.argv.includes('--check')) check();
  else generate('.');
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

/** docs/configuration.md lists every variable that the code reads, with its default. */
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { resolveSettings } from './settings.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');

/** Variable and default by the rows of the first table. */
const documented = new Map(
  [...page.slice(0, page.indexOf('## Elsewhere')).matchAll(/^\| `(\w+)`\s*\| (.*?)\s*\|/gm)].map(([, name, value]) => [
    name!,
    value!.replaceAll('`', ''),
  ]),
);

it('lists the settings of the services, no more and no fewer', () => {
  const source = readFileSync(new URL('./settings.ts', import.meta.url), 'utf8');
  const declared = [...source.matchAll(/^ {2}(CRUCIBLE_\w+): /gm)].map(([, name]) => name!);
  expect([...documented.keys()]).toEqual(declared);
});

it('says the defaults', () => {
  const told = (name: string): string => documented.get(`CRUCIBLE_${name}`)!;
  const { home, bus, host, ports, targets, device, precision, logLevel, cache } = resolveSettings({});
  expect(home).toBe(resolve(told('HOME')));
  expect(told('BUS')).toBe('embedded: and bus in the home');
  expect(bus).toBe(`embedded:${join(home, 'bus')}`);
  expect(host).toBe(told('HOST'));
  for (const [service, port] of Object.entries(ports)) expect(String(port)).toBe(told(`${service.toUpperCase()}_PORT`));
  expect(targets.policy).toBe(`${told('HOST')}:${told('POLICY_PORT')}`);
  expect([targets.trainer, told('TRAINER_TARGET')]).toEqual([undefined, 'unset']);
  expect([device, precision]).toEqual([told('DEVICE'), told('PRECISION')]);
  expect(logLevel).toBe(told('LOG_LEVEL'));
  expect(cache).toBe(told('CACHE').replace('~', homedir()));
});

it('lists every other variable that services, commands and tests read', () => {
  const read = ['apps', 'libs', 'tools'].flatMap((folder) =>
    sourcesIn(join(root, folder)).flatMap((path) =>
      [...readFileSync(path, 'utf8').matchAll(/\benv(?:ironment)?\['(\w+)'\](?! = )/g)].map(([, name]) => name!),
    ),
  );
  expect(read).toContain('OPENAI_API_KEY');
  // What the system sets, and what tests tell their own helpers, is not for users.
  const own = read.filter((name) => name !== 'PATH' && !name.startsWith('CRUCIBLE_TEST_'));
  expect(own.filter((name) => !page.includes(`| \`${name}\``))).toEqual([]);
});

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'out-tsc'].includes(entry.name) ? [] : sourcesIn(path);
    return /(?<!\.test)\.(?:ts|mjs)$/.test(entry.name) ? [path] : [];
  });
}

/**
 * A process that loads the newest version of a model again and again: `node read-newest.ts ROOT NAME`. Every version's
 * weights must all be its number. Prints the versions that it met as JSON when its input ends.
 */
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { flatten, isNdArray, type NdArray } from '@crucible/tensor';
import { loadModel } from '../model-folder.ts';
import { ModelRegistry } from '../model-registry.ts';

const [root, name] = process.argv.slice(2) as [string, string];
const registry = new ModelRegistry(root);
const met: number[] = [];
const ended = once(process.stdin.resume(), 'end').then(() => 'ended');
process.stdout.write('ready\n');

do {
  const { version, folder } = registry.resolve(name);
  const { weights } = loadModel(folder);
  for (const { path, leaf } of flatten<NdArray>(weights, isNdArray)) {
    if (leaf.data.some((value) => value !== version)) throw new Error(`internal: ${path} of ${version} is not whole`);
  }
  if (met.at(-1) !== version) met.push(version);
} while ((await Promise.race([ended, setImmediate('goes on')])) !== 'ended');
process.stdout.write(`${JSON.stringify(met)}\n`);

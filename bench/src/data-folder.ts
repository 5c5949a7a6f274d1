import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where third-party data lies: CRUCIBLE_DATA, else `shared/data` beside the repository. */
const folder = process.env['CRUCIBLE_DATA'] ?? join(import.meta.dirname, '../../../shared/data');

/** The path of a file or folder of third-party data; undefined where it is missing. */
export function findData(name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? path : undefined;
}

/** What to say where `findData` finds nothing. */
export function dataMissing(name: string): string {
  return `${name} is not in ${folder}; CRUCIBLE_DATA names the folder`;
}

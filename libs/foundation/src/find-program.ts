/** Programs of the system. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The path of the first of the names that is a program in one of the folders: those of a PATH, then the others. A name
 * that comes first wins wherever it is. Undefined: there is none.
 */
export function findProgram(
  names: readonly string[],
  path: string | undefined,
  others: readonly string[] = [],
): string | undefined {
  const folders = [...(path ?? '').split(delimiter).filter((folder) => folder !== ''), ...others];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** Whether there is something at the path that may be executed. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

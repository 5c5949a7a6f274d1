/** Chooses the boundary: bubblewrap where it can be had, else Pyodide; and nothing where neither can. */
import { CrucibleError } from '@crucible/foundation';
import type { Boundary, BoundaryName } from './boundary.ts';
import { openBubblewrap } from './bubblewrap/bubblewrap-boundary.ts';
import { openPyodide } from './pyodide/pyodide-boundary.ts';
import { Sandbox, type SandboxOptions } from './sandbox.ts';

export interface OpenSandboxOptions extends SandboxOptions {
  /** Default: `auto`, the strongest that can be had here. */
  readonly boundary?: BoundaryName | 'auto';
  /** A folder that nobody else can write, for what makes later starts faster. Default: nothing is kept. */
  readonly cache?: string;
}

/** Fails with `failed-precondition`, and the reasons, where no boundary can be had: nothing runs without one. */
export async function openSandbox({ boundary, cache, ...options }: OpenSandboxOptions = {}): Promise<Sandbox> {
  return new Sandbox(await openBoundary(boundary, cache), options);
}

export async function openBoundary(name: BoundaryName | 'auto' = 'auto', cache?: string): Promise<Boundary> {
  switch (name) {
    case 'bubblewrap':
      return openBubblewrap();
    case 'pyodide':
      return openPyodide(cache === undefined ? {} : { cache });
    case 'auto':
      return openStrongest(cache);
  }
}

async function openStrongest(cache: string | undefined): Promise<Boundary> {
  let missing: CrucibleError;
  try {
    return await openBubblewrap();
  } catch (reason) {
    missing = CrucibleError.from(reason);
  }
  try {
    return await openPyodide({ known: [missing.message], ...(cache !== undefined && { cache }) });
  } catch (reason) {
    const both = `${missing.message}; ${CrucibleError.from(reason).message}`;
    throw new CrucibleError('failed-precondition', `no program can be run here: ${both}`, { cause: reason });
  }
}

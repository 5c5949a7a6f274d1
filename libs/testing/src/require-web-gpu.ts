import { describe } from 'vitest';
import { findWebGpu, webGpuMissing } from './web-gpu.ts';

/**
 * A suite that needs WebGPU, given the environment for the processes that use it: WebGPU has one owner a process, and
 * what goes wrong in it may end the process. Where it is missing, the suite is skipped under a name that says so.
 */
export function requireWebGpu(name: string, suite: (environment: Readonly<Record<string, string>>) => void): void {
  const environment = findWebGpu();
  if (environment) describe(name, () => suite(environment));
  else describe.skip(`${name} (skipped: ${webGpuMissing})`, () => suite({}));
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What to tell where `findWebGpu` finds nothing. */
export const webGpuMissing =
  'WebGPU needs a Vulkan driver; Debian’s chromium brings one without a card: apt-get install chromium; another is named by VK_DRIVER_FILES';

const chromium = '/usr/lib/chromium';

/**
 * What a process needs in its environment to have WebGPU: nothing where VK_DRIVER_FILES (or VK_ICD_FILENAMES) names a
 * driver already or the system has its own kind of graphics, else the Vulkan that Debian's chromium has for machines
 * without a card (SwiftShader). Undefined where there is none.
 */
export function findWebGpu(environment: NodeJS.ProcessEnv = process.env): Record<string, string> | undefined {
  if (process.platform !== 'linux') return {};
  if (environment['VK_DRIVER_FILES'] ?? environment['VK_ICD_FILENAMES']) return {};
  const driver = join(chromium, 'vk_swiftshader_icd.json');
  if (!existsSync(driver)) return undefined;
  const folders = [environment['LD_LIBRARY_PATH'], chromium].filter((folder) => folder !== undefined);
  return { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: folders.join(':') };
}

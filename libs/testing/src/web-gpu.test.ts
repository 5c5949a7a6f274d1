import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findWebGpu } from './web-gpu.ts';

describe.runIf(process.platform === 'linux')('the environment for WebGPU', () => {
  it.each(['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'])('is left alone where %s names a driver', (name) => {
    expect(findWebGpu({ [name]: '/opt/driver.json' })).toEqual({});
  });

  it('names the driver of chromium, where there is one, beside the libraries that were named', () => {
    const found = findWebGpu({ LD_LIBRARY_PATH: '/opt/lib' });
    const expected = {
      VK_ICD_FILENAMES: '/usr/lib/chromium/vk_swiftshader_icd.json',
      LD_LIBRARY_PATH: '/opt/lib:/usr/lib/chromium',
    };
    expect(found).toEqual(existsSync(expected.VK_ICD_FILENAMES) ? expected : undefined);
  });
});

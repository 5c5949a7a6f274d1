/**
 * Runs before the tests: some use WebGPU, on a Vulkan driver that needs no graphics card. Debian's is installed where that
 * is possible without asking (as root, with apt-get); elsewhere this says what is missing, and those tests are skipped.
 */
import { spawnSync } from 'node:child_process';
import { findWebGpu, webGpuMissing } from '../libs/testing/src/web-gpu.ts';

if (findWebGpu() === undefined && process.getuid?.() === 0) {
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium');
}
if (findWebGpu() === undefined) console.error(`Tests of WebGPU are skipped: ${webGpuMissing}.`);

function run(command, ...parameters) {
  spawnSync(command, parameters, {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 600_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

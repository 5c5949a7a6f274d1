/**
 * Runs before the tests: they talk to a real nats-server, run programs in bubblewrap where that can be, and use WebGPU on
 * a Vulkan driver that needs no graphics card (chromium's). Debian's are installed where that is possible without asking
 * (as root, with apt-get); elsewhere this says what is missing, and the tests of bubblewrap and WebGPU skip.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findNatsServer, natsServerMissing } from '../libs/testing/src/find-nats-server.ts';
import { findWebGpu, webGpuMissing } from '../libs/testing/src/web-gpu.ts';

const missing = [
  ...(findNatsServer() === undefined ? ['nats-server'] : []),
  ...(existsSync('/usr/bin/bwrap') ? [] : ['bubblewrap']),
  ...(existsSync('/usr/bin/python3') ? [] : ['python3']),
  ...(findWebGpu() === undefined ? ['chromium'] : []),
];
if (missing.length > 0 && process.getuid?.() === 0) {
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...missing);
}
if (findNatsServer() === undefined) {
  console.error(`The tests need a NATS server: ${natsServerMissing}.`);
  process.exit(1);
}
if (findWebGpu() === undefined) console.error(`Tests of WebGPU are skipped: ${webGpuMissing}.`);

function run(command, ...parameters) {
  spawnSync(command, parameters, {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 600_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

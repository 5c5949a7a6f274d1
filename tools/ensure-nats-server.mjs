/**
 * Runs before the tests: they talk to a real nats-server. Debian's is installed where that is possible without asking
 * (as root, with apt-get); elsewhere this says what is missing.
 */
import { spawnSync } from 'node:child_process';
import { findNatsServer, natsServerMissing } from '../libs/testing/src/find-nats-server.ts';

if (findNatsServer() === undefined && process.getuid?.() === 0) {
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'nats-server');
}
if (findNatsServer() === undefined) {
  console.error(`The tests need a NATS server: ${natsServerMissing}.`);
  process.exit(1);
}

function run(command, ...parameters) {
  spawnSync(command, parameters, {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

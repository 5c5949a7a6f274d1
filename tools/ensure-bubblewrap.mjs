/**
 * Runs before the tests: they run programs in bubblewrap where that can be. Debian's is installed where that is possible
 * without asking (as root, with apt-get); elsewhere the tests of bubblewrap skip.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const missing = [
  ['bubblewrap', '/usr/bin/bwrap'],
  ['python3', '/usr/bin/python3'],
].flatMap(([name, program]) => (existsSync(program) ? [] : [name]));

if (missing.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  run('apt-get', 'update', '-qq');
  run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...missing);
}

function run(command, ...parameters) {
  spawnSync(command, parameters, {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

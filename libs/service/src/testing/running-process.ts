/** Runs services until it is stopped; each says when it is asked to close. The second closes after the time given, or fails. */
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '../logger.ts';
import { runUntilStopped } from '../run-until-stopped.ts';
import type { Service } from '../service.ts';

const [closing = '0', grace] = process.argv.slice(2);

function service(name: string, close: () => Promise<void>): Service {
  return {
    name,
    target: '',
    close: async (graceMs) => {
      process.stdout.write(`closing ${name} within ${graceMs}\n`);
      await close();
      process.stdout.write(`closed ${name}\n`);
    },
  };
}

const alive = setInterval(() => undefined, 1000);
const services = [
  service('first', () => Promise.resolve()),
  service('second', () => (closing === 'fails' ? Promise.reject(new Error('stuck')) : delay(Number(closing)))),
];
const stopped = runUntilStopped(
  services,
  createLogger('example', 'info'),
  grace === undefined ? undefined : Number(grace),
);
process.stdout.write('running\n');
await stopped;
process.stdout.write('stopped\n');
clearInterval(alive);

import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedBus } from '../embedded/embedded-bus.ts';
import { Ledger } from './ledger.ts';
import { RunningProgram } from './run-process.ts';

/** Kills process after process that publishes to the embedded bus of a folder, then reads what is there. */
export async function killPublishers(folder: string, kills: number) {
  const ledger = new Ledger();
  for (let kill = 0; kill < kills; kill++) {
    const began = Promise.withResolvers<undefined>();
    const publisher = new RunningProgram('publisher-process.ts', [`embedded:${folder}`, String(kill)], (line) => {
      const [what, id] = line.split(' ') as ['attempted' | 'acknowledged', string];
      ledger[what](id);
      if (what === 'acknowledged') began.resolve(undefined);
    });
    await began.promise;
    await sleep(50 + 200 * Math.random());
    await publisher.kill();
  }
  await using bus = await createEmbeddedBus({ folder });
  await bus.subscribe('crucible.job.progress', { from: 'all' }, ({ event }) => ledger.read(event.id));
  for (let waited = 0; !ledger.hasReadAllAcknowledged && waited < 10_000; waited += 50) await sleep(50);
  return ledger.verdict();
}

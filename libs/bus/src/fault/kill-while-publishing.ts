import { setTimeout as sleep } from 'node:timers/promises';
import { startNatsServer } from '@crucible/testing';
import { createNatsBus } from '../nats/nats-bus.ts';
import { startLanes } from './lanes.ts';
import { Ledger } from './ledger.ts';

/** Publishes and reads while a nats-server is killed and started again, several times. */
export async function killWhilePublishing({ kills, lanes }: { readonly kills: number; readonly lanes: number }) {
  await using server = await startNatsServer();
  await using publisher = await createNatsBus({ servers: server.url });
  await using reader = await createNatsBus({ servers: server.url });
  const statuses: string[] = [];
  publisher.observe((notice) => {
    if (notice.kind === 'status') statuses.push(notice.status);
  });
  const ledger = new Ledger();
  await reader.subscribe('crucible.job.progress', { durable: 'reader', ackWait: 1000 }, ({ event }) =>
    ledger.read(event.id),
  );
  const stopPublishing = startLanes(publisher, ledger, lanes);
  for (let kill = 0; kill < kills; kill++) {
    await sleep(400 + 200 * Math.random());
    await server.kill();
    await sleep(200);
    await server.restart();
    for (let waited = 0; publisher.status !== 'connected' && waited < 10_000; waited += 20) await sleep(20);
  }
  await sleep(400);
  await stopPublishing();
  for (let waited = 0; !ledger.hasReadAllAcknowledged && waited < 120_000; waited += 50) await sleep(50);
  return { verdict: ledger.verdict(), statuses };
}

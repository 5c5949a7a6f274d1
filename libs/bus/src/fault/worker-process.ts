/** A worker to be killed: takes one job of the bus that its first argument names, says so, and never finishes it. */
import { createBus } from '../create-bus.ts';

const bus = await createBus(process.argv[2]!);
await bus.consume('jobs', { ackWait: Number(process.argv[3]) }, async ({ event, attempt }) => {
  process.stdout.write(`took ${event.id} ${attempt}\n`);
  await new Promise(() => undefined);
});
// The embedded bus alone does not keep a process alive.
setInterval(() => undefined, 1000);

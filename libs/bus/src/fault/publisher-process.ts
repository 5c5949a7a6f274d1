/**
 * A publisher to be killed: publishes to the bus that its first argument names and says of every event when it is
 * attempted and when it is acknowledged.
 */
import { writeSync } from 'node:fs';
import { createBus } from '../create-bus.ts';
import { progress } from '../sample-events.ts';

const [, , url, prefix] = process.argv;
const bus = await createBus(url!);
const run = async (lane: number): Promise<void> => {
  for (let number = 0; ; number++) {
    const event = progress(`${prefix}.${lane}`, number);
    // Synchronously: what the parent has not heard of has not happened.
    writeSync(1, `attempted ${event.id}\n`);
    await bus.publish(event);
    writeSync(1, `acknowledged ${event.id}\n`);
  }
};
await Promise.all(Array.from({ length: 4 }, (_, lane) => run(lane)));

/** Publishers for fault tests: each lane publishes its numbers one after the other and enters them into a ledger. */
import type { Bus } from '../bus.ts';
import { progress } from '../sample-events.ts';
import type { Ledger } from './ledger.ts';

/** Publishes until the function that comes back is called; that resolves when the last publish is answered. */
export function startLanes(bus: Bus, ledger: Ledger, count: number): () => Promise<void> {
  let isStopped = false;
  const run = async (lane: string): Promise<void> => {
    for (let number = 0; !isStopped; number++) {
      const event = progress(lane, number);
      ledger.attempted(event.id);
      await bus.publish(event, { deadline: 20_000 });
      ledger.acknowledged(event.id);
    }
  };
  const lanes = Promise.all(Array.from({ length: count }, (_, i) => run(`lane${i}`)));
  return async () => {
    isStopped = true;
    await lanes;
  };
}

/** A server in a process of its own, to be killed: tells its port and streams for ever. */
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from './server.ts';
import { testService } from './test-server.ts';

const server = await createServer({
  port: 0,
  services: [
    testService({
      serverStream: async function* () {
        for (let number = 0; ; number++) {
          yield { number };
          await delay(5);
        }
      },
    }),
  ],
});
process.send!(server.port);

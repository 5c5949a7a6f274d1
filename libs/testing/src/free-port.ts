import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { CrucibleError } from '@crucible/foundation';

/**
 * A TCP port of 127.0.0.1 that nobody listens on at present. It lies below the range that Linux gives to outgoing
 * connections, so nothing takes it by accident while a server that a test has killed is down.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(20_000, 32_768);
    if (await canListen(port)) return port;
  }
  throw new CrucibleError('resource-exhausted', 'no free port of 127.0.0.1 among 100 tried in 20000 … 32767');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

import { lookup } from 'node:dns/promises';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { targetFrom } from './target.ts';

/** Makes `server` listen; gives the port, which is a free one for port 0. */
export async function bind(
  server: Server,
  host: string,
  port: number,
  credentials: ServerCredentials,
): Promise<number> {
  // One address: of several, grpc-js would be content with any that is free.
  const { address } = await lookup(host).catch((reason: unknown) => {
    throw noSuchHost(host, reason);
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(targetFrom(address, port), credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(bindError(error, host, port));
    });
  });
}

function bindError(error: Error, host: string, port: number): CrucibleError {
  const where = targetFrom(host, port);
  const details = { cause: error, at: 'port' };
  // grpc-js keeps nothing but the text of the system's error.
  if (error.message.includes('EADDRINUSE'))
    return new CrucibleError('conflict', `${where}: the port is in use; another server may be running`, details);
  if (error.message.includes('EACCES'))
    return new CrucibleError('permission-denied', `${where}: this user may not listen at the port`, details);
  if (error.message.includes('EADDRNOTAVAIL')) return noSuchHost(host, error);
  return new CrucibleError('internal', `${where}: ${error.message}`, { cause: error });
}

function noSuchHost(host: string, cause: unknown): CrucibleError {
  return invalidInput(`host: ${host} is no address of this machine`, { cause, at: 'host' });
}

/** Certificates of servers and clients. Everything is PEM. */
import { createSecureContext } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { isAddress } from './target.ts';

export interface ServerTls {
  /** The server's certificate, followed by those that lead to its authority. */
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** Certificate authorities of clients. With it (mTLS) only clients that hold a certificate of theirs may connect. */
  readonly ca?: string | Uint8Array;
}

export interface ClientTls {
  /** Certificate authorities of servers. Default: those that Node trusts. */
  readonly ca?: string | Uint8Array;
  /** The client's certificate and its key, for servers that ask for one. Both or neither. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** The name that the server's certificate must be for. Default: the host of the target, unless that is an address. */
  readonly serverName?: string;
}

/** Without `tls`: plain text. */
export function serverCredentials(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  return checked(() => {
    const [cert, key, ca] = [Buffer.from(tls.cert), Buffer.from(tls.key), buffer(tls.ca)];
    // grpc-js looks at them when it binds, and then says little of what is wrong.
    createSecureContext({ cert, key, ca: ca ?? undefined });
    return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
  });
}

/** Without `tls`: plain text. */
export function channelCredentials(tls: ClientTls | undefined, target: string): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  // grpc-js announces the host by name to the server (RFC 6066), which an address cannot be.
  if (tls.serverName === undefined && isAddress(target))
    throw invalidInput(`tls: ${target} is an address; serverName must say for which name its certificate is`, {
      at: 'tls.serverName',
    });
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw invalidInput('tls: cert and key are given together or not at all', { at: 'tls' });
  return checked(() => ChannelCredentials.createSsl(buffer(tls.ca), buffer(tls.key), buffer(tls.cert)));
}

function buffer(pem: string | Uint8Array | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}

function checked<T>(create: () => T): T {
  try {
    return create();
  } catch (reason) {
    throw invalidInput(`tls: no usable certificate and key: ${CrucibleError.from(reason).message}`, {
      cause: reason,
      at: 'tls',
    });
  }
}

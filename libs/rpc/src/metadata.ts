/** Call metadata as `Headers`: names without regard to case; values of names that end in `-bin` are base64. */
import { Metadata } from '@grpc/grpc-js';
import { invalidInput } from '@crucible/foundation';

export const requestIdKey = 'x-request-id';

/** https://www.w3.org/TR/trace-context/ */
const traceContext = ['traceparent', 'tracestate'];

/** What callers may give for metadata. */
export type MetadataInit = Headers | Readonly<Record<string, string>>;

export function headersFromMetadata(metadata: Metadata): Headers {
  const headers = new Headers();
  // gRPC allows colons in names, `Headers` does not.
  for (const [name, values] of Object.entries(metadata.toJSON()).filter(([name]) => !name.includes(':')))
    for (const value of values) headers.append(name, typeof value === 'string' ? value : value.toString('base64'));
  return headers;
}

/** Later sources win. */
export function metadataFromHeaders(...sources: (MetadataInit | undefined)[]): Metadata {
  const metadata = new Metadata();
  try {
    for (const source of sources)
      for (const [name, value] of new Headers(source))
        metadata.set(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  } catch {
    // Not the reason of the library: it quotes the value, which may be a password.
    throw invalidInput('metadata: names are made of a-z, 0-9, "-", "_" and ".", values of printable ASCII characters', {
      at: 'metadata',
    });
  }
  return metadata;
}

/** What a call under the name `requestId` hands on of its own metadata. */
export function propagatedHeaders(incoming: Headers, requestId: string): Headers {
  const headers = new Headers([...incoming].filter(([name]) => traceContext.includes(name)));
  headers.set(requestIdKey, requestId);
  return headers;
}

import { resolve } from 'node:path';
import { invalidInput } from '@crucible/foundation';

export interface EmbeddedBusOptions {
  /** Where the log lies; one process at a time. Without a folder, everything is kept in memory and gone at the end. */
  readonly folder?: string;
  /** Events older than this may be removed, in ms; 7 days by default. Work that is not done is kept. */
  readonly maxAge?: number;
  /** Beyond this many bytes the oldest events are removed; 64 MiB by default. Work that is not done is kept. */
  readonly maxBytes?: number;
  /** Events are removed by segments of this many bytes; 8 MiB by default, an eighth of maxBytes at most. */
  readonly segmentBytes?: number;
  /** How long `close()` waits for running handlers, in ms; 10,000 by default. */
  readonly drainDeadline?: number;
}

export interface ResolvedEmbeddedBusOptions extends Required<Omit<EmbeddedBusOptions, 'folder'>> {
  readonly folder: string | undefined;
}

export function resolveEmbeddedBusOptions(options: EmbeddedBusOptions): ResolvedEmbeddedBusOptions {
  if (options.folder === '') throw invalidInput('folder is empty; leave it out for a bus in memory', { at: 'folder' });
  const maxBytes = options.maxBytes ?? 64 << 20;
  const resolved = {
    maxAge: options.maxAge ?? 7 * 86_400_000,
    maxBytes,
    segmentBytes: options.segmentBytes ?? Math.min(8 << 20, Math.ceil(maxBytes / 8)),
    drainDeadline: options.drainDeadline ?? 10_000,
  };
  for (const [at, value] of Object.entries(resolved))
    if (!(Number.isFinite(value) && value >= 0)) throw invalidInput(`${at} is ${value}; it must be 0 or more`, { at });
  return { ...resolved, folder: options.folder === undefined ? undefined : resolve(options.folder) };
}

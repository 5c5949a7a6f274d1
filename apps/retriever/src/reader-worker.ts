/**
 * The process that opens files of others. A document that makes its parser take all memory, or never end, takes this process
 * along and nothing else.
 */
import { readFileSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CrucibleError } from '@crucible/foundation';
import { assertSourceSize, digestSource, prepareSource, type PrepareOptions } from '@crucible/retrieval';
import { serveWorker } from '@crucible/service';
import {
  type FileToRead,
  mostReaderMegabytes,
  type ReaderMethods,
  type ReadResult,
  type SourceSettings,
} from './worker-protocol.ts';

// Buffers of a parser are outside of the heap whose limit Node keeps, and a parser leaves no turn for a timer: a thread looks.
const watch = `setInterval(() => {
  if (process.memoryUsage.rss() > ${mostReaderMegabytes * 1e6}) process.kill(process.pid, 'SIGKILL');
}, 50)`;
new Worker(watch, { eval: true }).unref();

serveWorker<ReaderMethods>({
  digests: ({ files, settings }) =>
    each(files, ({ path, name }) => ({ name, digest: digestSource(read(path, name), optionsOf(settings)) })),
  prepare: ({ files, settings }) =>
    each(files, ({ path, name }) => prepareSource(read(path, name), name, optionsOf(settings))),
});

function optionsOf({ encoding, metadata, passageTokens }: SourceSettings): PrepareOptions {
  return {
    metadata,
    ...(encoding !== undefined && { encoding }),
    ...(passageTokens !== undefined && { size: passageTokens }),
  };
}

function read(path: string, name: string): Uint8Array {
  assertSourceSize(statSync(path).size, name);
  return readFileSync(path);
}

async function each<T>(
  files: readonly FileToRead[],
  task: (file: FileToRead) => T | Promise<T>,
): Promise<ReadResult<T>[]> {
  const results: ReadResult<T>[] = [];
  for (const file of files) {
    try {
      results.push({ value: await task(file) });
    } catch (reason) {
      const { code, message } = CrucibleError.from(reason);
      const told = message.includes(file.name) ? message : `${file.name}: ${message}`;
      results.push({ failure: { name: file.name, code, message: told } });
    }
  }
  return results;
}

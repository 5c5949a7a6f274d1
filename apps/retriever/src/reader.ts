/** Reads files in a process of its own, which may die of them. */
import { CrucibleError } from '@crucible/foundation';
import { RevivedWorker } from './workers.ts';
import {
  type FileToRead,
  mostReaderMegabytes,
  type ReaderMethods,
  type ReadResult,
  type SourceSettings,
} from './worker-protocol.ts';

/** Milliseconds that a batch of files may take; and one alone. */
const batchDeadline = 300_000;
const fileDeadline = 120_000;

export class Reader {
  readonly #worker = new RevivedWorker<ReaderMethods>(new URL('./reader-worker.ts', import.meta.url), {
    name: 'the process that reads documents',
    env: { NODE_OPTIONS: `--max-old-space-size=${mostReaderMegabytes}` },
  });

  /** A result for each file. When the process dies of them, each is tried alone. */
  async read<K extends keyof ReaderMethods>(
    method: K,
    files: readonly FileToRead[],
    settings: SourceSettings,
  ): Promise<ReaderMethods[K]['result']> {
    try {
      return await this.#worker.call(method, { files, settings }, { deadline: batchDeadline });
    } catch (reason) {
      if (CrucibleError.from(reason).code !== 'unavailable') throw reason;
      const results: ReadResult<unknown>[] = [];
      for (const file of files) results.push(await this.#alone(method, file, settings));
      return results as ReaderMethods[K]['result'];
    }
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  async #alone(method: keyof ReaderMethods, file: FileToRead, settings: SourceSettings): Promise<ReadResult<unknown>> {
    try {
      const [result] = await this.#worker.call(method, { files: [file], settings }, { deadline: fileDeadline });
      return result!;
    } catch (reason) {
      if (CrucibleError.from(reason).code !== 'unavailable') throw reason;
      const message = `${file.name}: reading it takes more than ${mostReaderMegabytes} MB or ${fileDeadline / 1000} s`;
      return { failure: { name: file.name, code: 'resource-exhausted', message } };
    }
  }
}

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CrucibleError } from '@crucible/foundation';

/** Takes each line that is not empty, with its place, `file:line`. */
export async function eachLine(path: string, take: (line: string, at: string) => void): Promise<void> {
  let number = 0;
  const input = createReadStream(path, 'utf8');
  const failed = new Promise<never>((_resolve, reject) => {
    input.once('error', (reason) =>
      reject(new CrucibleError('not-found', `${path} cannot be read: ${reason.message}`, { at: path, cause: reason })),
    );
  });
  failed.catch(() => undefined);
  const lines = (async () => {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number++;
      if (line.trim() !== '') take(line, `${path}:${number}`);
    }
  })();
  await Promise.race([lines, failed]);
}

/** Word documents. The archive is unpacked under a limit before a parser sees it, without pictures: a bomb stays packed. */
import { Unzip, UnzipInflate, zipSync } from 'fflate';
import mammoth from 'mammoth';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { parseHtml } from './html.ts';
import type { ParsedDocument } from './parsed-document.ts';

const mostUnpacked = 64 * 1024 * 1024;
const mostFiles = 10_000;

export async function parseDocx(bytes: Uint8Array, source: string): Promise<ParsedDocument> {
  const files = unpack(bytes, source);
  if (!('word/document.xml' in files)) {
    throw invalidInput(`${source}: it is no Word document: word/document.xml is not in it`, { at: source });
  }
  try {
    const buffer = Buffer.from(zipSync(files, { level: 0 }));
    const { value } = await mammoth.convertToHtml({ buffer });
    return parseHtml(value, source);
  } catch (reason) {
    throw invalidInput(`${source}: it is a damaged Word document: ${(reason as Error).message}`, {
      at: source,
      cause: reason,
    });
  }
}

function unpack(bytes: Uint8Array, source: string): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  let total = 0;
  let count = 0;
  const damaged = (reason: unknown): CrucibleError =>
    reason instanceof CrucibleError
      ? reason
      : invalidInput(`${source}: it is no zip archive, or a damaged one`, { at: source, cause: reason });
  const unzip = new Unzip((file) => {
    if (++count > mostFiles) throw tooLarge(source, `more than ${mostFiles} files`);
    if (!/\.(xml|rels)$/i.test(file.name)) return;
    const chunks: Uint8Array[] = [];
    file.ondata = (error, chunk, isLast) => {
      if (error) throw damaged(error);
      total += chunk.length;
      if (total > mostUnpacked) throw tooLarge(source, `more than ${mostUnpacked} bytes`);
      chunks.push(chunk);
      if (isLast) files[file.name] = Buffer.concat(chunks);
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  try {
    const step = 16 * 1024;
    for (let at = 0; at < bytes.length; at += step)
      unzip.push(bytes.subarray(at, at + step), at + step >= bytes.length);
  } catch (reason) {
    throw damaged(reason);
  }
  if (count === 0) throw damaged(new Error('no entries'));
  return files;
}

function tooLarge(source: string, what: string): CrucibleError {
  return new CrucibleError('resource-exhausted', `${source}: unpacked it has ${what}`, { at: source });
}

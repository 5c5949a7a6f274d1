/** What a hub says of a file's content: SHA-256 of large ones (LFS), the object id of git of the others. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

export interface Checksum {
  readonly kind: 'sha256' | 'git';
  /** Hexadecimal. */
  readonly value: string;
}

/** Of the content of a file of `size` bytes. */
export async function checksumOf(path: string, size: number, kind: Checksum['kind']): Promise<string> {
  const hash = kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Pictures of the runs, on the disk: a folder a run, a file a picture, named by what is in it. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import type { Picture } from '@crucible/prompting';

/** Of one picture, which goes out in one message. */
const mostPictureBytes = 4_000_000;
/** Of one run. */
const mostPictures = 64;
const mostBytes = 16 * 2 ** 20;

const ending = '.png';

export class RunPictures {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes of all pictures of a run. */
  bytes(runId: string): number {
    return this.#list(runId).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Of a PNG; the same one again is the one that is there. */
  keep(runId: string, png: Uint8Array): Picture {
    const id = createHash('sha256').update(png).digest('hex').slice(0, 32);
    const path = this.#path(runId, id);
    const picture = { id, ...sizeOf(png), bytes: png.length };
    if (existsSync(path)) return picture;
    if (png.length > mostPictureBytes)
      throw new CrucibleError(
        'resource-exhausted',
        `the picture has ${png.length} bytes; ${mostPictureBytes} are kept`,
      );
    const kept = this.#list(runId);
    if (kept.length >= mostPictures)
      throw new CrucibleError('resource-exhausted', `the run has ${mostPictures} pictures; no more are kept`);
    if (kept.reduce((sum, { bytes }) => sum + bytes, png.length) > mostBytes)
      throw new CrucibleError('resource-exhausted', `the pictures of the run would be above ${mostBytes} bytes`);
    writeFileAtomic(path, png);
    return picture;
  }

  read(runId: string, id: string): Uint8Array {
    const isOne = /^[0-9a-f]{32}$/.test(id) && existsSync(this.#path(runId, id));
    if (isOne) return readFileSync(this.#path(runId, id));
    throw new CrucibleError('not-found', `picture_id: the run has no picture ${JSON.stringify(id.slice(0, 100))}`, {
      at: 'picture_id',
    });
  }

  remove(runId: string): void {
    rmSync(join(this.#folder, runId), { recursive: true, force: true });
  }

  /** Takes away what belongs to none of these runs. */
  retain(isKnown: (runId: string) => boolean): void {
    if (!existsSync(this.#folder)) return;
    for (const runId of readdirSync(this.#folder)) if (!isKnown(runId)) this.remove(runId);
  }

  #path(runId: string, id: string): string {
    return join(this.#folder, runId, `${id}${ending}`);
  }

  #list(runId: string): { readonly bytes: number }[] {
    const folder = join(this.#folder, runId);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .map((name) => ({ bytes: statSync(join(folder, name)).size }));
  }
}

const signature = '89504e470d0a1a0a';

/** As the header of a PNG has it. */
function sizeOf(png: Uint8Array): { readonly width: number; readonly height: number } {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  if (bytes.length < 24 || bytes.toString('hex', 0, 8) !== signature)
    throw new CrucibleError('internal', 'a picture is no PNG');
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { recordingLogger } from '@crucible/service/testing';
import { temporaryFolder } from '@crucible/testing';
import { RunStore, type OpenRun, type StoreLimits } from './run-store.ts';

/** A PNG of one grey, with as many bytes behind it as are wanted. */
function png(grey: number, more = 0): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.from([0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0]);
  const rows = Buffer.from([0, grey, grey, grey, 0, grey, grey, grey]);
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  const parts = [signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([...parts, Buffer.alloc(more)]);
}

function storeIn(folder: string, limits?: StoreLimits): RunStore {
  return new RunStore(folder, recordingLogger().log, limits);
}

function begun(store: RunStore, runId: string): OpenRun {
  const spec = { strategy: 'react', question: 'Who?' };
  return store.create({ kind: 'start', runId, spec, model: 'chat', modelVersion: 1 });
}

describe('pictures of a run', () => {
  it('are there as they were kept, also after a restart, and the same one once', () => {
    const folder = temporaryFolder();
    const store = storeIn(folder);
    using run = begun(store, 'a');
    const picture = run.keepPicture(png(7));
    expect(picture).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      width: 3,
      height: 2,
      bytes: png(7).length,
    });
    run.append({ kind: 'published', step: 0 });
    const { bytes } = store.get('a');
    expect(run.keepPicture(png(7))).toEqual(picture);
    expect(run.keepPicture(png(8)).id).not.toBe(picture.id);
    run.append({ kind: 'published', step: 0 });
    expect(store.get('a').bytes - bytes).toBeGreaterThan(png(8).length);
    run[Symbol.dispose]();
    const again = storeIn(folder);
    expect(Buffer.from(again.picture('a', picture.id))).toEqual(png(7));
    expect(again.get('a').bytes).toBe(store.get('a').bytes);
    expect(() => run.keepPicture(png(9))).toThrow('the run is not worked on any more');
  });

  it('are named by the run that has them, and by nothing else', () => {
    const store = storeIn(temporaryFolder());
    using run = begun(store, 'a');
    using other = begun(store, 'b');
    const { id } = run.keepPicture(png(1));
    for (const [runId, pictureId] of [
      ['b', id],
      ['b', `../a/${id}`],
      ['a', `${id}.png`],
      ['a', ''],
      ['none', id],
    ] as const)
      expect(() => store.picture(runId, pictureId)).toThrow(expect.objectContaining({ code: 'not-found' }) as Error);
    expect(() => other.keepPicture(Buffer.from('<svg onload="alert(1)"/>'))).toThrow('a picture is no PNG');
  });

  it('are so many, and so large', () => {
    const store = storeIn(temporaryFolder());
    using many = begun(store, 'many');
    for (let i = 0; i < 64; i++) many.keepPicture(png(i));
    expect(() => many.keepPicture(png(64))).toThrow('the run has 64 pictures; no more are kept');
    expect(many.keepPicture(png(63)).width).toBe(3);
    using large = begun(store, 'large');
    expect(() => large.keepPicture(png(0, 4_000_000))).toThrow('bytes; 4000000 are kept');
    for (let i = 0; i < 5; i++) large.keepPicture(png(i, 3 * 2 ** 20));
    expect(() => large.keepPicture(png(5, 2 ** 20))).toThrow(
      expect.objectContaining({ code: 'resource-exhausted' }) as Error,
    );
  });

  it('count for the room of all runs, and go with their run', () => {
    const folder = temporaryFolder();
    const store = storeIn(folder, { mostBytes: 3 * 2 ** 20 });
    for (const runId of ['a', 'b', 'c']) {
      using run = begun(store, runId);
      run.keepPicture(png(1, 2 ** 20));
      run.append({ kind: 'published', step: 0 });
    }
    expect(store.list()).toHaveLength(2);
    const kept = ['a', 'b', 'c'].filter((runId) => existsSync(join(folder, 'pictures', runId)));
    expect(kept.sort()).toEqual(
      store
        .list()
        .map(({ runId }) => runId)
        .sort(),
    );
  });
});

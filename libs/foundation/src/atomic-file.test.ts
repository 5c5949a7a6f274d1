import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { publishFolder, removeLeftovers, writeFileAtomic, writeFileWith } from './atomic-file.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'crucible-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('writeFileAtomic', () => {
  it('makes the folders it needs and replaces what is there', () => {
    const path = join(folder, 'a/b/file.txt');
    writeFileAtomic(path, 'first');
    writeFileAtomic(path, 'second');
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(readdirSync(join(folder, 'a/b'))).toEqual(['file.txt']);
  });

  it('leaves the old file and no temporary one when the writing fails', () => {
    const path = join(folder, 'file.txt');
    writeFileAtomic(path, 'old');
    expect(() =>
      writeFileWith(path, () => {
        throw new Error('in the middle');
      }),
    ).toThrow(`${path}: in the middle`);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file.txt']);
  });

  it('says that the disk is full', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const path = join(folder, 'file.txt');
    expect(() =>
      writeFileWith(path, () => {
        throw full;
      }),
    ).toThrow(
      expect.objectContaining({
        code: 'resource-exhausted',
        message: `${path}: the disk is full; nothing was written`,
      }),
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('publishFolder', () => {
  it('shows the folder only when it is filled', async () => {
    const path = join(folder, 'model');
    await publishFolder(path, (temporary) => {
      writeFileSync(join(temporary, 'config.json'), '{}');
      expect(existsSync(path)).toBe(false);
    });
    expect(readdirSync(path)).toEqual(['config.json']);
  });

  it('leaves nothing when the filling fails', async () => {
    await expect(publishFolder(join(folder, 'model'), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('removeLeftovers', () => {
  it('removes temporary files and folders and nothing else', () => {
    writeFileSync(join(folder, '.file.txt.tmp-12-ab'), '');
    mkdirSync(join(folder, '.model.tmp-12-cd'));
    writeFileSync(join(folder, '.keep'), '');
    writeFileSync(join(folder, 'file.txt'), '');
    removeLeftovers(folder);
    expect(readdirSync(folder).sort()).toEqual(['.keep', 'file.txt']);
  });

  it('leaves alone what was written to a short while ago, be it deep inside', () => {
    const old = new Date(Date.now() - 60_000);
    for (const name of ['.dead.tmp-12-ab', '.live.tmp-12-cd']) {
      mkdirSync(join(folder, name, 'part'), { recursive: true });
      writeFileSync(join(folder, name, 'part/weights'), 'x');
      for (const path of ['part/weights', 'part', '']) utimesSync(join(folder, name, path), old, old);
    }
    writeFileSync(join(folder, '.live.tmp-12-cd/part/weights'), 'more');
    writeFileSync(join(folder, '.file.tmp-12-ef'), '');
    removeLeftovers(folder, { untouchedFor: 50_000 });
    expect(readdirSync(folder).sort()).toEqual(['.file.tmp-12-ef', '.live.tmp-12-cd']);
    expect(readFileSync(join(folder, '.live.tmp-12-cd/part/weights'), 'utf8')).toBe('more');
  });

  it('lets a publisher that was taken for dead fail, with nothing published', async () => {
    const path = join(folder, 'model');
    const publishing = publishFolder(path, (temporary) => {
      writeFileSync(join(temporary, 'weights'), 'x');
      removeLeftovers(folder);
    });
    await expect(publishing).rejects.toMatchObject({ code: 'not-found' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readLines } from './lines.ts';
import { folderWith, temporaryFolder } from './testing/files.ts';

async function lines(path: string, most = 1000): Promise<(string | undefined)[]> {
  const read: (string | undefined)[] = [];
  for await (const { number, bytes } of readLines(path, most)) {
    expect(number).toBe(read.length + 1);
    read.push(bytes && Buffer.from(bytes).toString());
  }
  return read;
}

function file(content: string | Uint8Array, name = 'a.jsonl'): string {
  return join(folderWith({ [name]: content }), name);
}

describe('readLines', () => {
  it('reads lines, the last one with or without its end', async () => {
    expect(await lines(file('one\n\nthree\n'))).toEqual(['one', '', 'three']);
    expect(await lines(file('one\ntwo'))).toEqual(['one', 'two']);
    expect(await lines(file(''))).toEqual([]);
  });

  it('reads lines that cross the chunks of the file', async () => {
    const long = Array.from({ length: 5 }, (_, i) => String(i).repeat(50_000 + i));
    expect(await lines(file(long.join('\n')), 100_000)).toEqual(long);
  });

  it('reads compressed files, also of several parts', async () => {
    expect(await lines(file(gzipSync('one\ntwo\n'), 'a.jsonl.gz'))).toEqual(['one', 'two']);
    expect(await lines(file(Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]), 'a.jsonl.gz'))).toEqual([
      'one',
      'two',
    ]);
  });

  it('gives a line that is too long without its bytes, and goes on', async () => {
    expect(await lines(file(`12345\n123456\n${'7'.repeat(200_000)}\nend\n`), 5)).toEqual([
      '12345',
      undefined,
      undefined,
      'end',
    ]);
  });

  it('takes no more memory for a long line than is allowed', async () => {
    const part = gzipSync(Buffer.alloc(2 ** 20, 'x'));
    const path = file(Buffer.concat(new Array<Uint8Array>(200).fill(part)), 'a.jsonl.gz');
    const before = process.memoryUsage.rss();
    expect(await lines(path, 1000)).toEqual([undefined]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  });

  it('says what is wrong with a file', async () => {
    const missing = join(temporaryFolder(), 'a.jsonl');
    await expect(lines(missing)).rejects.toMatchObject({
      code: 'not-found',
      message: `${missing}: there is no such file`,
    });
    await expect(lines(`${missing}.gz`)).rejects.toMatchObject({
      code: 'not-found',
      message: `${missing}.gz: there is no such file`,
    });
    const cut = file(gzipSync('one\n'.repeat(1000)).subarray(0, 30), 'a.jsonl.gz');
    await expect(lines(cut)).rejects.toMatchObject({
      code: 'invalid-input',
      message: `${cut}: is damaged or cut off: unexpected end of file`,
    });
    const plain = file('one\n', 'a.jsonl.gz');
    await expect(lines(plain)).rejects.toMatchObject({
      message: `${plain}: is damaged or cut off: incorrect header check`,
    });
  });
});

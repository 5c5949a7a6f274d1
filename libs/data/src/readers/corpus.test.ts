import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ReadCorpusOptions } from './corpus.ts';
import { readCorpus } from './corpus.ts';
import { folderWith, sharedData } from './testing/files.ts';

function read(path: string, options?: ReadCorpusOptions): [string, string][] {
  return Array.from(readCorpus(path, options), (document) => [document.path.slice(path.length + 1), document.text]);
}

function failure(path: string, options?: ReadCorpusOptions): unknown {
  try {
    return read(path, options);
  } catch (reason) {
    return reason;
  }
}

describe('readCorpus', () => {
  it('reads the text files of a folder and its folders, in the order of their paths', () => {
    const folder = folderWith({
      'b.txt': 'two',
      'a/z.MD': 'one',
      'c.json': '{}',
      '.hidden.txt': 'no',
      '.git/x.txt': 'no',
      'B.txt': 'zero',
    });
    expect(read(folder)).toEqual([
      ['B.txt', 'zero'],
      ['a/z.MD', 'one'],
      ['b.txt', 'two'],
    ]);
  });

  it('reads a file that is named itself, whatever its ending', () => {
    const path = join(folderWith({ 'notes.text': 'hello' }), 'notes.text');
    expect([...readCorpus(path)]).toEqual([{ path, text: 'hello' }]);
  });

  it('takes off the byte order mark and makes all ends of lines alike', () => {
    const folder = folderWith({ 'a.txt': '\ufeffone\r\ntwo\rthree\n\ufeff' });
    expect(read(folder)).toEqual([['a.txt', 'one\ntwo\nthree\n\ufeff']]);
  });

  it('follows links to files and not to folders', () => {
    const folder = folderWith({ 'a.txt': 'one' });
    const other = folderWith({ 'b.txt': 'two' });
    symlinkSync(join(other, 'b.txt'), join(folder, 'link.txt'));
    symlinkSync(folder, join(folder, 'loop'));
    expect(read(folder)).toEqual([
      ['a.txt', 'one'],
      ['link.txt', 'two'],
    ]);
  });

  it('passes over files without text, with a warning', () => {
    const folder = folderWith({ 'a.txt': 'one', 'b.txt': ' \n', 'c.txt': '' });
    const warnings: string[] = [];
    expect(read(folder, { onWarning: (message) => warnings.push(message) })).toEqual([['a.txt', 'one']]);
    expect(warnings).toEqual([
      `${join(folder, 'b.txt')}: holds no text; passed over`,
      `${join(folder, 'c.txt')}: holds no text; passed over`,
    ]);
  });

  it('names the file and the byte that is not UTF-8, and the file that is not text', () => {
    const folder = folderWith({ 'a.txt': 'fine', 'b.txt': Buffer.from('caf\xe9', 'latin1') });
    const latin = join(folder, 'b.txt');
    expect(failure(folder)).toMatchObject({
      code: 'invalid-input',
      at: latin,
      message: `${latin}: byte 3 is not UTF-8; texts must be UTF-8`,
    });
    const binary = join(folderWith({ 'x.txt': Uint8Array.of(0x89, 0x50, 0, 1) }), 'x.txt');
    expect(failure(binary)).toMatchObject({ at: binary, message: `${binary}: byte 2 is zero; this is no text file` });
    const utf16 = join(folderWith({ 'x.txt': Buffer.from('\ufeffa', 'utf16le') }), 'x.txt');
    expect(failure(utf16)).toMatchObject({ message: `${utf16}: byte 0 is not UTF-8 but UTF-16; texts must be UTF-8` });
  });

  it('says when there is nothing to read', () => {
    const empty = folderWith({ 'a.txt': '', 'b.md': '\n' });
    expect(failure(empty)).toMatchObject({ code: 'invalid-input', message: `${empty}: holds no text` });
    const other = folderWith({ 'a.json': '{}' });
    expect(failure(other)).toMatchObject({ message: `${other}: there is no .txt or .md file in it` });
    const missing = join(other, 'nowhere');
    expect(failure(missing)).toMatchObject({
      code: 'not-found',
      message: `${missing}: there is no such file or folder`,
    });
  });
});

describe('a held-out part', () => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.txt`, `text ${i}`]));

  it('is made of whole documents, always the same', () => {
    const folder = folderWith(files);
    const heldout = { by: 'document', fraction: 0.25 } as const;
    const train = read(folder, { heldout });
    const held = read(folder, { heldout, side: 'heldout' });
    expect([...train, ...held].map(([name]) => name).sort()).toEqual(Object.keys(files).sort());
    expect(held.length).toBeGreaterThan(3);
    expect(held.length).toBeLessThan(18);
    expect(read(folderWith(files), { heldout, side: 'heldout' })).toEqual(held);
  });

  it('is made of the tail of every document, from the beginning of a line', () => {
    const folder = folderWith({ 'a.txt': '0123456789\nab\ncdef\n', 'b.txt': 'one line' });
    const heldout = { by: 'tail', fraction: 0.5 } as const;
    expect(read(folder, { heldout })).toEqual([
      ['a.txt', '0123456789\n'],
      ['b.txt', 'one line'],
    ]);
    expect(read(folder, { heldout, side: 'heldout' })).toEqual([['a.txt', 'ab\ncdef\n']]);
  });

  it('cuts exactly where a line begins', () => {
    const folder = folderWith({ 'a.txt': '0123\n567\n9' });
    const heldout = { by: 'tail', fraction: 0.5 } as const;
    expect(read(folder, { heldout, side: 'heldout' })).toEqual([['a.txt', '567\n9']]);
  });

  it('is refused where it makes no sense', () => {
    const folder = folderWith({ 'a.txt': 'one' });
    expect(failure(folder, { side: 'heldout' })).toMatchObject({
      at: 'side',
      message: 'side: heldout can only be read where something is held out; give heldout',
    });
    expect(failure(folder, { heldout: { by: 'tail', fraction: 1 } })).toMatchObject({
      message: 'heldout.fraction: 1 is not above 0 and below 1',
    });
    expect(failure(folder, { heldout: { by: 'tail', fraction: 0.1 }, side: 'heldout' })).toMatchObject({
      at: 'heldout',
      message: `${folder}: nothing of its 1 documents is on the side heldout; hold out another fraction`,
    });
  });
});

describe('the books of ../shared/data/corpus', () => {
  const { path, isMissing } = sharedData('corpus');

  it.skipIf(isMissing)('are read (needs ../shared/data)', () => {
    const sizes = read(path).map(([name, text]) => [name.split('/')[0], text.length] as const);
    expect(sizes).toHaveLength(37);
    expect(sizes.filter(([folder]) => folder === 'validation')).toHaveLength(4);
    const shakespeare = read(join(path, 'tinyshakespeare.txt'), {
      heldout: { by: 'tail', fraction: 0.1 },
      side: 'heldout',
    });
    expect(shakespeare[0]![1].length / 1_115_394).toBeCloseTo(0.1, 3);
  });
});

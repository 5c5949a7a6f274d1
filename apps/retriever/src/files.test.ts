import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { FileTree } from './files.ts';
import type { FileToRead } from './worker-protocol.ts';

const { signal } = new AbortController();

function library(files: Readonly<Record<string, string>>): string {
  const root = join(temporaryFolder(), 'library');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

async function collected(batches: AsyncIterable<FileToRead[]>): Promise<FileToRead[][]> {
  const result: FileToRead[][] = [];
  for await (const batch of batches) result.push(batch);
  return result;
}

test('a folder is walked: what can be read, without hidden files and links, under its own name', async () => {
  const root = library({ 'a.md': 'a', 'deep/er/b.txt': 'b', 'c.png': 'c', '.hidden/d.md': 'd', '.e.md': 'e' });
  symlinkSync(join(root, 'a.md'), join(root, 'link.md'));
  symlinkSync(root, join(root, 'loop'));
  const tree = new FileTree(root);
  expect(await tree.count(signal)).toEqual({ files: 2, skipped: 3 });
  const [batch, ...others] = await collected(tree.batches(signal));
  expect(others).toEqual([]);
  expect(batch!.sort((x, y) => (x.name < y.name ? -1 : 1))).toEqual([
    { name: 'library/a.md', path: join(root, 'a.md') },
    { name: 'library/deep/er/b.txt', path: join(root, 'deep/er/b.txt') },
  ]);
  expect(tree.prefix).toBe('library/');
  expect(['library/a.md', 'library/link.md', 'library/x.md', 'library/deep'].map((name) => tree.has(name))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('a file is its own tree', async () => {
  const path = join(library({ 'a.md': 'a' }), 'a.md');
  const tree = new FileTree(path);
  expect(await tree.count(signal)).toEqual({ files: 1, skipped: 0 });
  expect(await collected(tree.batches(signal))).toEqual([[{ name: 'a.md', path }]]);
  expect([tree.prefix, tree.has('a.md')]).toEqual(['a.md', true]);
});

test('batches hold a thousand files, or eight MiB unless one file alone has more', async () => {
  const small = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`${i}.txt`, 'x']));
  const sizes = async (root: string): Promise<number[]> =>
    (await collected(new FileTree(root).batches(signal))).map(({ length }) => length);
  expect(await sizes(library(small))).toEqual([1000, 1]);
  const large = library({ 'a.txt': '', 'b.txt': '', 'c.txt': '' });
  for (const name of ['a.txt', 'b.txt', 'c.txt']) truncateSync(join(large, name), 5 * 1024 * 1024);
  expect(await sizes(large)).toEqual([1, 1, 1]);
});

test('a folder that cannot be read is named, and the others are walked', async () => {
  // As many files as fill batches, so that the walk stands still within the folder that it has opened first.
  const many = (folder: string): [string, string][] =>
    Array.from({ length: 1500 }, (_, i) => [`${folder}/${i}.md`, 'x'] as [string, string]);
  const root = library(Object.fromEntries([...many('a'), ...many('b')]));
  const tree = new FileTree(root);
  const walk = tree.batches(signal);
  const { value: first } = await walk.next();
  const [, open] = first![0]!.name.split('/');
  const other = open === 'a' ? 'b' : 'a';
  rmSync(join(root, other), { recursive: true });
  const rest = await collected(walk);
  expect(rest.flat()).toHaveLength(500);
  expect(tree.unreadable).toEqual([
    {
      name: `library/${other}`,
      message: expect.stringMatching(`^library/${other}: the folder cannot be read: ENOENT`) as string,
    },
  ]);
});

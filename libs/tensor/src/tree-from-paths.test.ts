import { floats, isNdArray } from './nd-array.ts';
import { flatten } from './tree.ts';
import { describe, expect, it } from 'vitest';
import { treeFromPaths } from './tree-from-paths.ts';

const pathsOf = (tree: object): Map<string, unknown> =>
  new Map(flatten(tree, isNdArray).map(({ path, leaf }) => [path, leaf]));

describe('treeFromPaths', () => {
  it('is the inverse of flatten', () => {
    const leaf = (value: number): object => floats([1], [value]);
    const tree = { layers: [{ w: leaf(1), b: leaf(2) }, { w: leaf(3) }], head: { weight: leaf(4) }, top: leaf(5) };
    expect(treeFromPaths(pathsOf(tree))).toEqual(tree);
  });

  it('keeps the order of the leaves, also of more than ten numbered branches', () => {
    const tree = { z: Array.from({ length: 12 }, (_, i) => ({ w: floats([1], [i]) })), a: floats([1], [99]) };
    const rebuilt = treeFromPaths(pathsOf(tree));
    expect(rebuilt).toEqual(tree);
    expect([...pathsOf(rebuilt).keys()]).toEqual([...pathsOf(tree).keys()]);
  });

  it('makes an array of branches that are numbered from 0 without a gap, and of no others', () => {
    const paths = new Map(['a.0', 'a.1', 'b.1', 'b.2', 'c.1', 'c.0', 'd.0', 'd.x'].map((path) => [path, path]));
    expect(treeFromPaths(paths)).toEqual({
      a: ['a.0', 'a.1'],
      b: { 1: 'b.1', 2: 'b.2' },
      c: { 0: 'c.0', 1: 'c.1' },
      d: { 0: 'd.0', x: 'd.x' },
    });
  });

  it('leaves the prototype alone', () => {
    const tree = treeFromPaths(new Map([['__proto__.polluted', 'yes']]));
    expect(Object.keys(tree)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

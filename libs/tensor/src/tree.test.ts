import { describe, expect, it } from 'vitest';
import { flatten, mapTree } from './tree.ts';

const isNumber = (value: unknown): value is number => typeof value === 'number';
const tree = { a: 1, layers: [{ w: 2 }, { w: 3 }] };

describe('flatten', () => {
  it('names leaves by their paths, in the order of the tree', () => {
    expect(flatten(tree, isNumber)).toEqual([
      { path: 'a', leaf: 1 },
      { path: 'layers.0.w', leaf: 2 },
      { path: 'layers.1.w', leaf: 3 },
    ]);
  });

  it('names what is neither leaf nor branch', () => {
    expect(() => flatten({ a: { b: 'text' } }, isNumber)).toThrow('tree: a.b is text, no leaf and no branch');
  });
});

describe('mapTree', () => {
  it('keeps the form', () => {
    expect(mapTree(tree, isNumber, (leaf, path) => `${path}=${leaf}`)).toEqual({
      a: 'a=1',
      layers: [{ w: 'layers.0.w=2' }, { w: 'layers.1.w=3' }],
    });
  });
});

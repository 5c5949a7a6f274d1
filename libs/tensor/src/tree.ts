/** Trees: nested records and arrays with leaves of one kind. Parameters, gradients and optimizer states are trees. */
import { invalidInput } from '@crucible/foundation';

export type Tree<Leaf> = Leaf | readonly Tree<Leaf>[] | { readonly [key: string]: Tree<Leaf> };

/** A tree of the same form with another kind of leaf. */
export type TreeLike<T, From, To> = T extends From
  ? To
  : T extends readonly unknown[]
    ? { [K in keyof T]: TreeLike<T[K], From, To> }
    : T extends object
      ? { [K in keyof T]: TreeLike<T[K], From, To> }
      : never;

type IsLeaf<Leaf> = (value: unknown) => value is Leaf;

/** Leaves with their paths (`layers.0.wq`), in a fixed order: that of insertion. */
export function flatten<Leaf>(tree: unknown, isLeaf: IsLeaf<Leaf>): { path: string; leaf: Leaf }[] {
  const found: { path: string; leaf: Leaf }[] = [];
  const walk = (value: unknown, path: string): void => {
    if (isLeaf(value)) {
      found.push({ path, leaf: value });
    } else if (value !== null && typeof value === 'object') {
      for (const [key, child] of Object.entries(value)) walk(child, path === '' ? key : `${path}.${key}`);
    } else {
      throw invalidInput(`tree: ${path === '' ? 'the root' : path} is ${String(value)}, no leaf and no branch`);
    }
  };
  walk(tree, '');
  return found;
}

/** The tree with every leaf replaced by `change(leaf, path)`. */
export function mapTree<Leaf>(
  tree: unknown,
  isLeaf: IsLeaf<Leaf>,
  change: (leaf: Leaf, path: string) => unknown,
): unknown {
  const walk = (value: unknown, path: string): unknown => {
    if (isLeaf(value)) return change(value, path);
    const below = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
    if (Array.isArray(value)) return value.map((child, i) => walk(child, below(i)));
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, walk(child, below(key))]));
    }
    throw invalidInput(`tree: ${path === '' ? 'the root' : path} is ${String(value)}, no leaf and no branch`);
  };
  return walk(tree, '');
}

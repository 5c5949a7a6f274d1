/** Rebuilds a tree from its leaves' dotted paths; numbered branches become arrays. The inverse of `flatten`. */
export function treeFromPaths<Leaf>(leaves: ReadonlyMap<string, Leaf>): object {
  const root = new Map<string, unknown>();
  for (const [path, leaf] of leaves) {
    const keys = path.split('.');
    const last = keys.pop()!;
    let branch = root;
    for (const key of keys) {
      let next = branch.get(key);
      if (!(next instanceof Map)) branch.set(key, (next = new Map<string, unknown>()));
      branch = next as Map<string, unknown>;
    }
    branch.set(last, leaf);
  }
  return toObject(root) as object;
}

function toObject(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  const entries = [...(value as Map<string, unknown>)].map(([key, child]) => [key, toObject(child)] as const);
  if (entries.length > 0 && entries.every(([key], i) => key === String(i))) return entries.map(([, child]) => child);
  return Object.fromEntries(entries);
}

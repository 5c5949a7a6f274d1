/** Ids of documents by something that they may share, a source or a title; most have it for themselves. */
export class IdsByKey {
  readonly #ids = new Map<string, string | Set<string>>();

  keys(): Iterable<string> {
    return this.#ids.keys();
  }

  get(key: string): readonly string[] {
    const ids = this.#ids.get(key) ?? [];
    return typeof ids === 'string' ? [ids] : [...ids];
  }

  add(key: string, id: string): void {
    const ids = this.#ids.get(key);
    if (ids === undefined) this.#ids.set(key, id);
    else if (typeof ids === 'string') this.#ids.set(key, new Set([ids, id]));
    else ids.add(id);
  }

  remove(key: string, id: string): void {
    const ids = this.#ids.get(key);
    if (ids instanceof Set) ids.delete(id);
    if (ids === id || (ids instanceof Set && ids.size === 0)) this.#ids.delete(key);
  }
}

import type { AddedToken } from '../added-tokens.ts';

/** A special token. */
export function addedToken(content: string, id: number, options: Partial<AddedToken> = {}): AddedToken {
  const plain = { singleWord: false, lstrip: false, rstrip: false, normalized: false };
  return { id, content, special: true, ...plain, ...options };
}

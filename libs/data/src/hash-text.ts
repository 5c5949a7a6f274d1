/**
 * A hash that decides on which side of a split something falls: the same on every machine and in every version, so
 * that what was held out once stays held out.
 */

/** 32 bits: FNV-1a over the UTF-16 code units, then MurmurHash3's finalizer, since FNV alone leaves the high bits poor. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Uniform in [0, 1). */
export function hashFraction(text: string): number {
  return hashText(text) / 2 ** 32;
}

/** Finding what is text in arbitrary bytes. */

/** Walks over `bytes` in order: every longest stretch of well-formed UTF-8 goes to `onText`, every other byte to `onByte`. */
export function forEachUtf8Stretch(
  bytes: Uint8Array,
  onText: (text: string) => void,
  onByte: (byte: number) => void,
): void {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let start = 0;
  let at = 0;
  const flush = (): void => {
    if (at > start) onText(decoder.decode(bytes.subarray(start, at)));
  };
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      flush();
      onByte(bytes[at]!);
      start = at + 1;
    }
    at += length || 1;
  }
  flush();
}

/** The length of the well-formed sequence that begins at `at`, 0 if there is none (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number): 0 | 1 | 2 | 3 | 4 {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  if (lead >= 0xc2 && lead <= 0xdf) return isContinuation(second) ? 2 : 0;
  if (!isContinuation(bytes[at + 2] ?? 0)) return 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    // No overlong forms, no surrogates.
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high ? 3 : 0;
  }
  if (lead < 0xf0 || lead > 0xf4 || !isContinuation(bytes[at + 3] ?? 0)) return 0;
  // No overlong forms, nothing above U+10FFFF.
  const low = lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high ? 4 : 0;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

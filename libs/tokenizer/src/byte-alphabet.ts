/**
 * The alphabet in which byte-level BPE writes bytes: one printable character a byte, so that a vocabulary is plain JSON
 * text. Bytes that are printable in Latin-1 stand for themselves; the other 68 are, in ascending order, U+0100 and on
 * (a space is "Ġ", a newline "Ċ"). GPT-2 introduced it; every byte-level model uses the same.
 */

function standsForItself(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

function createAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(standsForItself(byte) ? byte : next++));
}

/** The character of every byte; index = byte. */
export const byteAlphabet: readonly string[] = createAlphabet();

/** All bytes, ordered by the code points of their characters: the order of their ids in a trained vocabulary. */
export const bytesInAlphabetOrder: readonly number[] = byteAlphabet
  .map((character, byte) => ({ code: character.charCodeAt(0), byte }))
  .sort((a, b) => a.code - b.code)
  .map(({ byte }) => byte);

const byteOfCharacter = new Map(byteAlphabet.map((character, byte) => [character, byte]));

export function alphabetFromBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byteAlphabet[byte]!;
  return text;
}

/** The bytes that `token` writes, or undefined when it has a character from outside the alphabet. */
export function bytesFromAlphabet(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCharacter.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

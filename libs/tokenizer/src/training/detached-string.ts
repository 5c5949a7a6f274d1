/**
 * A copy that shares no memory with the text it was cut from. V8 keeps a substring of 13 characters or more as a view
 * of its parent; a long-lived collection of such pieces would keep every text alive that it ever saw.
 */
export function detachedString(piece: string): string {
  return piece.length < 13 ? piece : Buffer.from(piece, 'utf16le').toString('utf16le');
}

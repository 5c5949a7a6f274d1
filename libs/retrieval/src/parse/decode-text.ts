/** Bytes as text, in the encoding that they say or that the user says: none is guessed. */
import { invalidInput } from '@crucible/foundation';

const marks = [
  { encoding: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { encoding: 'utf-16le', bytes: [0xff, 0xfe] },
  { encoding: 'utf-16be', bytes: [0xfe, 0xff] },
] as const;

/** The byte order mark goes before `encoding`, a label of the WHATWG encoding standard; default: UTF-8. */
export function decodeText(bytes: Uint8Array, source: string, encoding = 'utf-8'): string {
  const mark = marks.find((each) => each.bytes.every((byte, i) => bytes[i] === byte));
  const decoder = decoderOf(mark?.encoding ?? encoding, source);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (reason) {
    const at = mark || decoder.encoding !== 'utf-8' ? '' : ` (byte ${firstInvalidByte(bytes)})`;
    throw invalidInput(
      `${source}: it is no ${decoder.encoding.toUpperCase()}${at}; say its encoding, for example gb18030, big5 or windows-1252`,
      { at: source, cause: reason },
    );
  }
  const nul = text.indexOf('\0');
  if (nul !== -1) throw invalidInput(`${source}: it is no text: character ${nul} is NUL`, { at: source });
  return text;
}

function decoderOf(encoding: string, source: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch (reason) {
    throw invalidInput(`${source}: encoding ${encoding} is not known; there are utf-8, gb18030, big5, shift_jis, …`, {
      at: source,
      cause: reason,
    });
  }
}

/** The first byte that cannot follow those before it. */
function firstInvalidByte(bytes: Uint8Array): number {
  let [low, high] = [0, bytes.length];
  const isValid = (length: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (isValid(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

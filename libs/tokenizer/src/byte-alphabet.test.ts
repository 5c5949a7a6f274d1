import { describe, expect, it } from 'vitest';
import { alphabetFromBytes, byteAlphabet, bytesFromAlphabet, bytesInAlphabetOrder } from './byte-alphabet.ts';

describe('the byte alphabet', () => {
  it('has a character of its own for every byte, printable ones for themselves', () => {
    expect(new Set(byteAlphabet).size).toBe(256);
    expect(byteAlphabet.slice(0x21, 0x7f).join('')).toBe(
      String.fromCharCode(
        ...Array(94)
          .keys()
          .map((i) => i + 0x21),
      ),
    );
    expect([0x00, 0x0a, 0x20, 0x7f, 0xa0, 0xad, 0xff].map((byte) => byteAlphabet[byte]).join('')).toBe('ĀĊĠġłŃÿ');
  });

  it('writes bytes and reads them back', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(bytesFromAlphabet(alphabetFromBytes(bytes))).toEqual(bytes);
    expect(alphabetFromBytes(new TextEncoder().encode(' é\n'))).toBe('ĠÃ©Ċ');
  });

  it('does not read characters that it does not have', () => {
    expect(bytesFromAlphabet('a b')).toBeUndefined();
    expect(bytesFromAlphabet('\u{1f600}')).toBeUndefined();
  });

  it('is ordered by character: printable bytes first, the others after them', () => {
    const order = bytesInAlphabetOrder.map((byte) => byteAlphabet[byte]!);
    expect(order).toEqual([...order].sort());
    expect(bytesInAlphabetOrder.slice(0, 2)).toEqual([0x21, 0x22]);
    expect(bytesInAlphabetOrder.slice(188, 190)).toEqual([0x00, 0x01]);
  });
});

import { describe, expect, it } from 'vitest';
import { createDecoder, type DecoderDefinition } from './decoder.ts';

/** What comes out at each token, and at the end. */
function decode(definition: DecoderDefinition | null, tokens: string[]): string[] {
  const decoding = createDecoder(definition)();
  return [...tokens.map((token) => decoding.push(token)), decoding.flush()];
}

const metaspace = { type: 'Metaspace', replacement: '_', prepend_scheme: 'always', split: true } as const;
const byteLevel = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } as const;
const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 } as const;
const wordPiece = { type: 'WordPiece', prefix: '##', cleanup: true } as const;
const ctc = { type: 'CTC', pad_token: '<pad>', word_delimiter_token: '|', cleanup: true } as const;
const llama: DecoderDefinition = {
  type: 'Sequence',
  decoders: [
    { type: 'Replace', pattern: { String: '_' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    strip,
  ],
};

describe('decoders', () => {
  it.each<[DecoderDefinition | null, string[], string[]]>([
    [null, ['a', 'b'], ['a', ' b', '']],
    [byteLevel, ['\u0120a', '\u00e2\u0124', '\u00ac'], [' a', '', '\u20ac', '']],
    [byteLevel, ['\u00e2', 'a b'], ['', '\ufffda b', '']],
    [byteLevel, ['\u00e2'], ['', '\ufffd']],
    [metaspace, ['_a', '_b', 'c_'], ['a', ' b', 'c ', '']],
    [{ ...metaspace, prepend_scheme: 'never' }, ['_a'], [' a', '']],
    [wordPiece, ['a', '##b', 'c', '.', 'do', "n't"], ['a', 'b', ' c', '.', ' do', "n't", '']],
    [{ ...wordPiece, cleanup: false }, ['##a', '.'], ['##a', ' .', '']],
    [{ type: 'BPEDecoder', suffix: '</w>' }, ['a', 'b</w>', 'c</w>'], ['', 'a', 'b ', 'c']],
    [{ type: 'ByteFallback' }, ['<0xE2>', '<0x82>', '<0xAC>', 'a'], ['', '', '', '\u20aca', '']],
    [{ type: 'ByteFallback' }, ['<0xE2>', '<0x61>'], ['', '', '\ufffd\ufffd']],
    [{ type: 'ByteFallback' }, ['<0x6>', '<0xZZ>'], ['<0x6>', '<0xZZ>', '']],
    [ctc, ['h', 'h', '<pad>', 'h', '|', '|', 'do not'], ['h', '', '', 'h', ' ', '', 'do not', '']],
    [{ ...ctc, cleanup: false }, ['|'], ['|', '']],
    [strip, [' a', '  b', 'c '], ['a', ' b', 'c ', '']],
    [{ ...strip, start: 0, stop: 2 }, ['a   ', ' '], ['a ', '', '']],
    [{ type: 'Replace', pattern: { Regex: '\\d+' }, content: '#' }, ['a12', '3'], ['a#', '#', '']],
    [llama, ['_', 'a', '_b', '<0x21>'], ['', 'a', ' b', '', '!']],
    [llama, ['__a'], [' a', '']],
    [llama, ['<0x20>', '<0x20>'], ['', '', ' ']],
    // What depends on the whole waits for it.
    [{ type: 'Sequence', decoders: [{ type: 'Fuse' }, wordPiece] }, ['a', ' .'], ['', '', 'a.']],
    [{ type: 'Sequence', decoders: [{ type: 'Fuse' }, { ...strip, stop: 1 }] }, [' a', ' '], ['', '', 'a']],
    [{ type: 'Sequence', decoders: [byteLevel, strip] }, ['\u0120', 'a'], ['', 'a', '']],
    [{ type: 'Sequence', decoders: [wordPiece, { type: 'Fuse' }] }, ['a', 'b'], ['a', ' b', '']],
  ])('give what is certain, token by token: %j of %j', (definition, tokens, wanted) => {
    expect(decode(definition, tokens)).toEqual(wanted);
  });

  it.each([null, byteLevel, metaspace, wordPiece, llama, ctc, { type: 'BPEDecoder', suffix: '</w>' } as const])(
    'can be used anew after the end: %j',
    (definition) => {
      const tokens = ['_a', 'a', '<0xE2>', '\u00e2', 'b</w>'];
      const decoding = createDecoder(definition)();
      const once = (): string => tokens.map((token) => decoding.push(token)).join('') + decoding.flush();
      expect(once()).toBe(once());
      expect(decoding.flush()).toBe('');
    },
  );
});

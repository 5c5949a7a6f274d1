import { describe, expect, it } from 'vitest';
import { byteAlphabet } from './byte-alphabet.ts';
import type { TokenizerDefinition } from './definition.ts';
import { JsonField } from './json-field.ts';
import { trainExampleTokenizer } from './testing/example-tokenizer.ts';
import { formatTokenizerJson, parseTokenizerJson } from './tokenizer-json.ts';

interface File {
  added_tokens: unknown;
  normalizer: unknown;
  pre_tokenizer: unknown;
  post_processor: unknown;
  decoder: unknown;
  model: Record<string, unknown>;
}

/** A small valid file: bytes 0 to 255, "ab" 256, "abc" 257, and the special token "<|end|>" 258. */
function valid(): File {
  return {
    added_tokens: [{ id: 258, content: '<|end|>', special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries([...byteAlphabet, 'ab', 'abc'].map((token, id) => [token, id])),
      merges: [['a', 'b'], 'ab c'],
    },
  };
}

function parseJson(json: string): TokenizerDefinition {
  return parseTokenizerJson(new JsonField(JSON.parse(json), 'tokenizer.json'));
}

function parse(change: (file: File) => void = () => undefined): TokenizerDefinition {
  const file = valid();
  change(file);
  return parseJson(JSON.stringify(file));
}

function vocab(file: File): Record<string, unknown> {
  return file.model['vocab'] as Record<string, unknown>;
}

describe('parseTokenizerJson', () => {
  it('reads a file, with merges as pairs and as strings, and fills in what may be missing', () => {
    const definition = parse((file) => (file.added_tokens as object[]).push({ id: 259, content: '<x>' }));
    expect(definition).toMatchObject({
      normalizers: [],
      preTokenizer: [{ type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }],
      addedTokens: [
        { id: 258, content: '<|end|>', special: true, lstrip: false, rstrip: false, normalized: false },
        { id: 259, content: '<x>', special: false, lstrip: false, rstrip: false, normalized: true },
      ],
      postProcessor: null,
    });
    const [a, b, c] = ['a', 'b', 'c'].map((token) => byteAlphabet.indexOf(token));
    expect(definition.model.merges).toEqual([
      { left: a, right: b, merged: 256 },
      { left: 256, right: c, merged: 257 },
    ]);
    expect(definition.model.ignoreMerges).toBe(false);
  });

  it('reads nested sequences and keeps the post-processor for others', () => {
    const definition = parse((file) => {
      file.normalizer = {
        type: 'Sequence',
        normalizers: [{ type: 'NFC' }, { type: 'Sequence', normalizers: [{ type: 'NFKC' }] }],
      };
      file.pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, file.pre_tokenizer] };
      file.post_processor = { type: 'TemplateProcessing', single: [] };
    });
    expect(definition.normalizers).toEqual(['NFC', 'NFKC']);
    expect(definition.preTokenizer.map(({ type }) => type)).toEqual(['Digits', 'ByteLevel']);
    expect(definition.postProcessor).toEqual({ type: 'TemplateProcessing', single: [] });
  });

  it.each(['__proto__', 'constructor', 'toString', '007'])('takes %j for a token like others', (name) => {
    const json = JSON.stringify(valid());
    const added = json.replace('<|end|>', name);
    const inVocab = json.replace('"vocab":{', `"vocab":{"${name}":259,`);
    expect(parseJson(added).addedTokens[0]!.content).toBe(name);
    expect(parseJson(inVocab).model.vocab.get(name)).toBe(259);
    for (const each of [added, inVocab])
      expect(parseJson(formatTokenizerJson(parseJson(each)))).toEqual(parseJson(each));
  });

  it.each([
    ['model', (f) => (f.model = null as never), 'model: null is not an object'],
    ['vocab', (f) => (f.model['vocab'] = ['a']), 'model.vocab: a list is not an object'],
    ['vocab', (f) => delete f.model['vocab'], 'model.vocab: is missing; it is an object'],
    ['id', (f) => (vocab(f)['a'] = '5'), 'model.vocab["a"]: "5" is not a whole number from 0 to 1048575'],
    ['id', (f) => (vocab(f)['a'] = -1), 'model.vocab["a"]: -1 is not a whole number from 0 to 1048575'],
    ['id', (f) => (vocab(f)['a'] = 1.5), 'model.vocab["a"]: 1.5 is not a whole number from 0 to 1048575'],
    ['id', (f) => (vocab(f)['a'] = 4e9), 'model.vocab["a"]: 4000000000 is not a whole number from 0 to 1048575'],
    ['id', (f) => (vocab(f)['abc'] = 256), 'model.vocab["abc"]: 256 is the id of "ab" too'],
    ['id', (f) => (vocab(f)['abc'] = 300), 'no token has the id 257, though there are 259 tokens'],
    [
      'byte',
      (f) => delete vocab(f)['Ġ'],
      'model.vocab: lacks "Ġ", the token of byte 32; supported are byte-level models only',
    ],
    ['merges', (f) => (f.model['merges'] = {}), 'model.merges: an object is not a list'],
    ['merge', (f) => (f.model['merges'] = ['a']), 'model.merges[0]: is not two tokens'],
    ['merge', (f) => (f.model['merges'] = ['a b c']), 'model.merges[0]: is not two tokens'],
    ['merge', (f) => (f.model['merges'] = [['a', 'b', 'c']]), 'model.merges[0]: is not two tokens'],
    ['merge', (f) => (f.model['merges'] = [['a', 7]]), 'model.merges[0][1]: 7 is not a string'],
    ['merge', (f) => (f.model['merges'] = [7]), 'model.merges[0]: 7 is not a list'],
    ['merge', (f) => (f.model['merges'] = ['a b', 'a xy']), 'model.merges[1]: "xy" is not in model.vocab'],
    ['merge', (f) => (f.model['merges'] = ['b c']), 'model.merges[0]: "bc" is not in model.vocab'],
    ['merge', (f) => (f.model['merges'] = ['a b', ['a', 'b']]), 'model.merges[1]: repeats model.merges[0]'],
    ['merge', (f) => (f.model['merges'] = ['__proto__ b']), 'model.merges[0]: "__proto__" is not in model.vocab'],
    ['ignore_merges', (f) => (f.model['ignore_merges'] = 1), 'model.ignore_merges: 1 is not true or false'],
    ['added', (f) => (f.added_tokens = 'x'), 'added_tokens: "x" is not a list'],
    ['added', (f) => (f.added_tokens = [null]), 'added_tokens[0]: null is not an object'],
    ['added', (f) => (f.added_tokens = [{ id: 258 }]), 'added_tokens[0].content: is missing; it is a string'],
    ['added', (f) => (f.added_tokens = [{ id: 258, content: '' }]), 'added_tokens[0].content: is empty'],
    [
      'added',
      (f) => (f.added_tokens = [{ id: 258, content: '\ud800' }]),
      'added_tokens[0].content: has a lone surrogate',
    ],
    ['added', (f) => (f.added_tokens = [{ id: 256, content: 'x<' }]), 'added_tokens[0].id: 256 is the id of "ab" too'],
    [
      'added',
      (f) => (f.added_tokens = [{ id: 258, content: 'ab' }]),
      'added_tokens[0].id: "ab" has the id 258 here and 256 in model.vocab',
    ],
    [
      'added',
      (f) => (f.added_tokens = [258, 259].map((id) => ({ id, content: '<x>' }))),
      'added_tokens[1].content: "<x>" is there twice',
    ],
    [
      'added',
      (f) =>
        (f.added_tokens = [
          { id: 258, content: '<x>' },
          { id: 258, content: '<y>' },
        ]),
      'added_tokens[1].id: 258 is the id of "<x>" too',
    ],
    [
      'added',
      (f) => (f.added_tokens = [{ id: byteAlphabet.indexOf('!'), content: '!', special: true }]),
      'added_tokens[0].special: "!" is the token of a byte, which plain text needs; it cannot be special',
    ],
    [
      'added',
      (f) => (f.added_tokens = [{ id: 258, content: '<x>', lstrip: 'no' }]),
      'added_tokens[0].lstrip: "no" is not true or false',
    ],
    [
      'pre',
      (f) => (f.pre_tokenizer = null),
      'pre_tokenizer: has no ByteLevel step; supported are byte-level models only',
    ],
    [
      'pre',
      (f) => (f.pre_tokenizer = { type: 'Sequence', pretokenizers: [f.pre_tokenizer, { type: 'Digits' }] }),
      'pre_tokenizer.pretokenizers[1]: comes after ByteLevel, which must be the last',
    ],
    [
      'pre',
      (f) => (f.pre_tokenizer = { type: 'Split', pattern: { Regex: 'a++' }, behavior: 'Isolated' }),
      'pre_tokenizer.pattern.Regex: uses the possessive quantifier ++ (character 3), which is not supported',
    ],
    [
      'pre',
      (f) => {
        for (let i = 0; i < 10; i++) f.pre_tokenizer = { type: 'Sequence', pretokenizers: [f.pre_tokenizer] };
      },
      `pre_tokenizer${'.pretokenizers[0]'.repeat(9)}: is nested deeper than 8`,
    ],
  ] as [string, (file: File) => void, string][])('refuses a wrong %s', (_what, change, message) => {
    expect(() => parse(change)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: `tokenizer.json: ${message}` }),
    );
  });

  it.each([
    ['model.type', (f) => (f.model['type'] = 'WordPiece'), '"WordPiece" is not supported; supported is BPE only'],
    ['model.dropout', (f) => (f.model['dropout'] = 0.1), '0.1 is not supported; supported is only null or 0'],
    [
      'model.byte_fallback',
      (f) => (f.model['byte_fallback'] = true),
      'true is not supported; supported is only null or false',
    ],
    [
      'model.continuing_subword_prefix',
      (f) => (f.model['continuing_subword_prefix'] = '##'),
      '"##" is not supported; supported is only null or ""',
    ],
    [
      'normalizer.type',
      (f) => (f.normalizer = { type: 'Lowercase' }),
      '"Lowercase" is not supported; supported is NFC, NFD, NFKC, NFKD and Sequence',
    ],
    [
      'pre_tokenizer.type',
      (f) => (f.pre_tokenizer = { type: 'Metaspace' }),
      '"Metaspace" is not supported; supported is Split, Digits, ByteLevel and Sequence',
    ],
    [
      'pre_tokenizer.pretokenizers[0].behavior',
      (f) =>
        (f.pre_tokenizer = {
          type: 'Sequence',
          pretokenizers: [{ type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithNext' }, f.pre_tokenizer],
        }),
      '"MergedWithNext" is not supported; supported is Isolated and Removed',
    ],
    [
      'decoder.type',
      (f) => (f.decoder = { type: 'Metaspace' }),
      '"Metaspace" is not supported; supported is ByteLevel only',
    ],
    ['decoder', (f) => (f.decoder = null), 'null is not supported; supported is ByteLevel only'],
    [
      'added_tokens[0].single_word',
      (f) => (f.added_tokens = [{ id: 258, content: '<x>', single_word: true }]),
      'true is not supported; supported is only null or false',
    ],
  ] as [string, (file: File) => void, string][])(
    'says what is supported instead of another %s',
    (field, change, message) => {
      const at = `tokenizer.json: ${field}`;
      expect(() => parse(change)).toThrow(
        expect.objectContaining({ code: 'unimplemented', at, message: `${at}: ${message}` }),
      );
    },
  );
});

describe('formatTokenizerJson', () => {
  it('writes what parseTokenizerJson reads', async () => {
    const { definition } = await trainExampleTokenizer();
    expect(parseTokenizerJson(new JsonField(JSON.parse(formatTokenizerJson(definition)), 'tokenizer.json'))).toEqual(
      definition,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { byteAlphabet } from './byte-alphabet.ts';
import type { TokenizerDefinition } from './definition.ts';
import { JsonField } from './json-field.ts';
import { vocabOf } from './models/model.ts';
import { preTokenizerSteps } from './pre-tokenizers/pre-tokenizer.ts';
import { addedToken } from './testing/added-token.ts';
import { trainExampleTokenizer } from './testing/example-tokenizer.ts';
import { formatTokenizerJson, parseTokenizerJson } from './tokenizer-json.ts';
import { Tokenizer } from './tokenizer.ts';

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

function template(single: object[]): object {
  return { type: 'TemplateProcessing', single, pair: [], special_tokens: {} };
}

function vocab(file: File): Record<string, unknown> {
  return file.model['vocab'] as Record<string, unknown>;
}

describe('parseTokenizerJson', () => {
  it('reads a file, with merges as pairs and as strings, and fills in what may be missing', () => {
    const definition = parse((file) => (file.added_tokens as object[]).push({ id: 259, content: '<x>' }));
    expect(definition).toMatchObject({
      normalizer: null,
      preTokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      addedTokens: [addedToken('<|end|>', 258), addedToken('<x>', 259, { special: false, normalized: true })],
      postProcessor: null,
    });
    const [a, b, c] = ['a', 'b', 'c'].map((token) => byteAlphabet.indexOf(token));
    expect(definition.model).toMatchObject({
      type: 'BPE',
      merges: [
        { left: a, right: b, merged: 256 },
        { left: 256, right: c, merged: 257 },
      ],
      unkToken: null,
      fuseUnk: false,
      ignoreMerges: false,
    });
  });

  it('reads nested sequences', () => {
    const normalizer = {
      type: 'Sequence',
      normalizers: [{ type: 'NFC' }, { type: 'Sequence', normalizers: [{ type: 'NFKC' }] }],
    };
    const definition = parse((file) => {
      file.normalizer = normalizer;
      file.pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, file.pre_tokenizer] };
    });
    expect(definition.normalizer).toEqual(normalizer);
    expect(preTokenizerSteps(definition.preTokenizer).map(({ type }) => type)).toEqual(['Digits', 'ByteLevel']);
  });

  it('tells models without a type by what they have', () => {
    const typeOf = (model: object): string => parse((file) => (file.model = model as File['model'])).model.type;
    const vocab = { a: 0 };
    expect(typeOf({ vocab, merges: [] })).toBe('BPE');
    const wordPiece = { unk_token: 'a', continuing_subword_prefix: '##', max_input_chars_per_word: 9 };
    expect(typeOf({ vocab, ...wordPiece })).toBe('WordPiece');
    expect(typeOf({ vocab, unk_token: 'a' })).toBe('WordLevel');
    expect(typeOf({ vocab: [['a', -1]] })).toBe('Unigram');
  });

  it('takes ids without a token for holes', () => {
    const definition = parse((file) => (vocab(file)['abcd'] = 300));
    const tokenizer = new Tokenizer(definition);
    expect(tokenizer.vocabSize).toBe(301);
    expect(tokenizer.decode([97, 280, 98])).toBe('ab');
    expect(() => tokenizer.idToToken(280)).toThrow('id: 280 is not the id of a token');
  });

  it('lets text have a byte that a file calls special', () => {
    const definition = parse(
      (file) => (file.added_tokens = [{ id: byteAlphabet.indexOf('!'), content: '!', special: true }]),
    );
    expect(new Tokenizer(definition).encode('a!')).toEqual([97, 33]);
  });

  it('reads settings for truncation and padding without a word', () => {
    const limits = { truncation: { max_length: 8 }, padding: { strategy: { Fixed: 8 } } };
    const definition = parse((file) => Object.assign(file, limits));
    expect(new Tokenizer(definition).tokenize('a'.repeat(20)).ids).toHaveLength(20);
    expect(JSON.parse(formatTokenizerJson(definition))).toMatchObject({ truncation: null, padding: null });
  });

  it.each(['__proto__', 'constructor', 'toString', '007'])('takes %j for a token like others', (name) => {
    const json = JSON.stringify(valid());
    const added = json.replace('<|end|>', name);
    const inVocab = json.replace('"vocab":{', `"vocab":{"${name}":259,`);
    expect(parseJson(added).addedTokens[0]!.content).toBe(name);
    expect(vocabOf(parseJson(inVocab).model).get(name)).toBe(259);
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
    ['merges', (f) => (f.model['merges'] = {}), 'model.merges: an object is not a list'],
    ['merge', (f) => (f.model['merges'] = ['a']), 'model.merges[0]: is not two tokens'],
    ['merge', (f) => (f.model['merges'] = ['a b c']), 'model.merges[0]: is not two tokens'],
    ['merge', (f) => (f.model['merges'] = [['a', 'b', 'c']]), 'model.merges[0]: is not two tokens'],
    ['merge', (f) => (f.model['merges'] = [['a', 7]]), 'model.merges[0][1]: 7 is not a string'],
    ['merge', (f) => (f.model['merges'] = [7]), 'model.merges[0]: 7 is not a list'],
    ['merge', (f) => (f.model['merges'] = ['a b', 'a xy']), 'model.merges[1]: "xy" is not in model.vocab'],
    ['merge', (f) => (f.model['merges'] = ['b c']), 'model.merges[0]: "bc" is not in model.vocab'],
    ['merge', (f) => (f.model['merges'] = ['__proto__ b']), 'model.merges[0]: "__proto__" is not in model.vocab'],
    ['dropout', (f) => (f.model['dropout'] = 2), 'model.dropout: is not a share from 0 to 1'],
    [
      'pattern',
      (f) => (f.pre_tokenizer = { type: 'Split', pattern: { Regex: '(a)\\1' }, behavior: 'Isolated' }),
      'pre_tokenizer.pattern.Regex: uses the escape \\1 (character 4), which is not supported',
    ],
    [
      'pattern',
      (f) => (f.normalizer = { type: 'Replace', pattern: { Regex: '(' }, content: '' }),
      'normalizer.pattern.Regex: has a ( without its )',
    ],
    [
      'pattern',
      (f) => (f.normalizer = { type: 'Replace', pattern: {} }),
      'normalizer.pattern.Regex: is missing; it is a string',
    ],
    [
      'charsmap',
      (f) => (f.normalizer = { type: 'Precompiled', precompiled_charsmap: '!' }),
      'normalizer.precompiled_charsmap: is not base64',
    ],
    [
      'charsmap',
      (f) => (f.normalizer = { type: 'Precompiled', precompiled_charsmap: 'AAAAAA==' }),
      'normalizer.precompiled_charsmap: is not a charsmap',
    ],
    [
      'Metaspace',
      (f) => (f.pre_tokenizer = { type: 'Metaspace', replacement: 'ab' }),
      'pre_tokenizer.replacement: "ab" is not a single character',
    ],
    [
      'Metaspace',
      (f) =>
        (f.pre_tokenizer = { type: 'Metaspace', replacement: '_', prepend_scheme: 'first', add_prefix_space: false }),
      'pre_tokenizer.add_prefix_space: false is not what prepend_scheme says',
    ],
    [
      'template',
      (f) => (f.post_processor = template([{ SpecialToken: { id: '[CLS]', type_id: 0 } }])),
      'post_processor.single[0].SpecialToken.id: "[CLS]" is not among special_tokens',
    ],
    [
      'template',
      (f) => (f.post_processor = template([{ Sequence: { id: 'B', type_id: 0 } }])),
      'post_processor.single[0].Sequence.id: "B" is not there in a single text',
    ],
    [
      'processor',
      (f) => (f.post_processor = { type: 'BertProcessing', sep: ['x'], cls: ['y', 1] }),
      'post_processor.sep: is not a token and its id',
    ],
    [
      'Unigram',
      (f) => (f.model = { type: 'Unigram', vocab: [['a', -1], ['b']] }),
      'model.vocab[1]: is not a token and a score',
    ],
    [
      'Unigram',
      (f) => (f.model = { type: 'Unigram', vocab: [['a', -1]], unk_id: 1 }),
      'model.unk_id: 1 is not a whole number from 0 to 0',
    ],
    ['WordLevel', (f) => (f.model = { type: 'WordLevel', vocab: {} }), 'model.unk_token: is missing; it is a string'],
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
      (f) => (f.added_tokens = [{ id: 258, content: '<x>', lstrip: 'no' }]),
      'added_tokens[0].lstrip: "no" is not true or false',
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
    ['version', (f) => Object.assign(f, { version: '2.0' }), '"2.0" is not supported; supported is "1.0"'],
    [
      'model.type',
      (f) => (f.model['type'] = 'Syllables'),
      '"Syllables" is not supported; supported is BPE, WordPiece, WordLevel and Unigram',
    ],
    [
      'normalizer.type',
      (f) => (f.normalizer = { type: 'Append' }),
      '"Append" is not supported; supported is NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Replace, Prepend, ' +
        'BertNormalizer, Precompiled, Nmt, ByteLevel and Sequence',
    ],
    [
      'pre_tokenizer.type',
      (f) => (f.pre_tokenizer = { type: 'Syllables' }),
      '"Syllables" is not supported; supported is ByteLevel, BertPreTokenizer, CharDelimiterSplit, Digits, FixedLength, ' +
        'Metaspace, Punctuation, Split, UnicodeScripts, Whitespace, WhitespaceSplit and Sequence',
    ],
    [
      'pre_tokenizer.behavior',
      (f) => (f.pre_tokenizer = { type: 'Split', pattern: { String: ' ' }, behavior: 'Merged' }),
      '"Merged" is not supported; supported is Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous',
    ],
    [
      'pre_tokenizer.prepend_scheme',
      (f) => (f.pre_tokenizer = { type: 'Metaspace', replacement: '_', prepend_scheme: 'last' }),
      '"last" is not supported; supported is always, first, never',
    ],
    [
      'post_processor.type',
      (f) => (f.post_processor = { type: 'Padding' }),
      '"Padding" is not supported; supported is TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and ' +
        'Sequence',
    ],
    [
      'decoder.type',
      (f) => (f.decoder = { type: 'Cyrillic' }),
      '"Cyrillic" is not supported; supported is ByteLevel, Metaspace, WordPiece, BPEDecoder, ByteFallback, Fuse, Strip, ' +
        'Replace, CTC and Sequence',
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

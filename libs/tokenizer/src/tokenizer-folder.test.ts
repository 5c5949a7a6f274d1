import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { trainExampleTokenizer } from './testing/example-tokenizer.ts';
import { loadTokenizer, saveTokenizer } from './tokenizer-folder.ts';
import { Tokenizer } from './tokenizer.ts';

const tokenizer = await trainExampleTokenizer();
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'crucible-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function read(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;
}

/** Saves the tokenizer and changes one of its files. */
function saveAnd(name: string, content: unknown): void {
  saveTokenizer(tokenizer, folder);
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
}

describe('saveTokenizer', () => {
  it('writes what loadTokenizer reads', () => {
    const saved = tokenizer.withSettings({ modelMaxLength: 512, unkToken: '<|endoftext|>' });
    saveTokenizer(saved, folder);
    expect(readdirSync(folder).sort()).toEqual(['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json']);
    const loaded = loadTokenizer(folder);
    expect(loaded.definition).toEqual(saved.definition);
    expect(loaded.settings).toEqual(saved.settings);
  });

  it('writes the configuration that transformers reads', () => {
    saveTokenizer(tokenizer.withSettings({ modelMaxLength: 512 }), folder);
    const { added_tokens_decoder: added, ...config } = read('tokenizer_config.json');
    const names = {
      bos_token: '<|endoftext|>',
      eos_token: '<|end|>',
      pad_token: '<|pad|>',
      additional_special_tokens: ['<|system|>', '<|user|>', '<|assistant|>', '<|tool|>'],
    };
    expect(config).toEqual({
      ...names,
      chat_template: tokenizer.settings.chatTemplate,
      clean_up_tokenization_spaces: false,
      model_max_length: 512,
      tokenizer_class: 'PreTrainedTokenizerFast',
    });
    expect(read('special_tokens_map.json')).toEqual(names);
    expect(Object.keys(added as object)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
    expect((added as Record<string, unknown>)['6']).toEqual({
      content: '<|end|>',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    });
  });

  it('leaves out what is not set', () => {
    saveTokenizer(new Tokenizer(tokenizer.definition), folder);
    expect(Object.keys(read('tokenizer_config.json'))).toEqual([
      'added_tokens_decoder',
      'additional_special_tokens',
      'clean_up_tokenization_spaces',
      'tokenizer_class',
    ]);
    expect(loadTokenizer(folder).settings).toEqual({});
  });

  it('does not leave the chat template of an earlier tokenizer', () => {
    writeFileSync(join(folder, 'chat_template.jinja'), 'old');
    saveTokenizer(tokenizer, folder);
    expect(loadTokenizer(folder).settings).toEqual(tokenizer.settings);
  });
});

describe('loadTokenizer', () => {
  it('needs nothing but tokenizer.json', () => {
    saveTokenizer(tokenizer, folder);
    rmSync(join(folder, 'tokenizer_config.json'));
    rmSync(join(folder, 'special_tokens_map.json'));
    expect(loadTokenizer(folder).settings).toEqual({});
    expect(loadTokenizer(folder).encode('The iron')).toEqual(tokenizer.encode('The iron'));
  });

  it('reads tokens as strings and as objects, and takes from special_tokens_map.json what the config lacks', () => {
    saveAnd('tokenizer_config.json', { bos_token: { content: '<|endoftext|>', lstrip: false }, eos_token: null });
    writeFileSync(
      join(folder, 'special_tokens_map.json'),
      JSON.stringify({ bos_token: '<|pad|>', eos_token: { content: '<|end|>' } }),
    );
    expect(loadTokenizer(folder).settings).toEqual({ bosToken: '<|endoftext|>', eosToken: '<|end|>' });
  });

  it('takes the template named default of several, and chat_template.jinja before all', () => {
    const chat_template = [
      { name: 'tool_use', template: 'a' },
      { name: 'default', template: 'b' },
    ];
    saveAnd('tokenizer_config.json', { chat_template });
    expect(loadTokenizer(folder).settings).toMatchObject({ chatTemplate: 'b', namedChatTemplates: { tool_use: 'a' } });
    writeFileSync(join(folder, 'chat_template.jinja'), 'c');
    mkdirSync(join(folder, 'additional_chat_templates'));
    writeFileSync(join(folder, 'additional_chat_templates', 'rag.jinja'), 'd');
    writeFileSync(join(folder, 'additional_chat_templates', 'README.md'), 'e');
    const loaded = loadTokenizer(folder);
    const named = { tool_use: 'a', rag: 'd' };
    expect(loaded.settings).toMatchObject({ chatTemplate: 'c', namedChatTemplates: named });
    saveTokenizer(loaded, folder);
    expect(readdirSync(folder).sort()).toEqual(['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json']);
    expect(loadTokenizer(folder).settings).toEqual(loaded.settings);
  });

  it('takes the length that transformers writes for none as none', () => {
    saveAnd('tokenizer_config.json', '{"model_max_length": 1000000000000000019884624838656}');
    expect(loadTokenizer(folder).settings).not.toHaveProperty('modelMaxLength');
  });

  it('says which file there is not', () => {
    const path = join(folder, 'tokenizer.json');
    expect(() => loadTokenizer(folder)).toThrow(
      expect.objectContaining({ code: 'not-found', message: `${path}: there is no such file`, at: path }),
    );
  });

  it('does not take a folder for a file', () => {
    saveTokenizer(tokenizer, folder);
    mkdirSync(join(folder, 'chat_template.jinja'));
    const path = join(folder, 'chat_template.jinja');
    expect(() => loadTokenizer(folder)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: `${path}: is not a file` }),
    );
  });

  it('does not read files of unbearable size', () => {
    const path = join(folder, 'tokenizer.json');
    writeFileSync(path, '');
    truncateSync(path, 300 * 2 ** 20);
    expect(() => loadTokenizer(folder)).toThrow(`${path}: has 314572800 bytes; at most 268435456 are read`);
  });

  it.each([
    ['tokenizer.json', '{"model": ', 'is not JSON: Unexpected end of JSON input'],
    ['tokenizer.json', '[]', 'a list is not an object'],
    ['tokenizer_config.json', '7', '7 is not an object'],
    ['tokenizer_config.json', { eos_token: '</s>' }, 'eos_token: "</s>" is not a token of tokenizer.json'],
    ['tokenizer_config.json', { eos_token: { content: 7 } }, 'eos_token.content: 7 is not a string'],
    ['tokenizer_config.json', { eos_token: ['x'] }, 'eos_token: a list is not an object'],
    ['tokenizer_config.json', { chat_template: 7 }, 'chat_template: 7 is not a string'],
    [
      'tokenizer_config.json',
      { chat_template: [{ name: 'default' }] },
      'chat_template[0].template: is missing; it is a string',
    ],
    [
      'tokenizer_config.json',
      { model_max_length: -5 },
      'model_max_length: -5 is not a whole number from 0 to 9007199254740991',
    ],
    ['tokenizer_config.json', { model_max_length: 0 }, 'model_max_length: 0 is not a length'],
    [
      'tokenizer_config.json',
      { added_tokens_decoder: { 5: { content: '<|end|>' } } },
      'added_tokens_decoder["5"]: "<|end|>" does not have this id in tokenizer.json',
    ],
    ['special_tokens_map.json', { pad_token: '[PAD]' }, 'pad_token: "[PAD]" is not a token of tokenizer.json'],
  ])('refuses %s with %j', (name, content, message) => {
    saveAnd(name, content);
    if (name === 'special_tokens_map.json') rmSync(join(folder, 'tokenizer_config.json'));
    expect(() => loadTokenizer(folder)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: expect.stringContaining(`${join(folder, name)}: ${message}`) as string,
      }),
    );
  });

  it('survives JSON of any depth', () => {
    for (const depth of [1_000, 100_000, 5_000_000]) {
      saveAnd('tokenizer.json', `{"normalizer":${'['.repeat(depth)}${']'.repeat(depth)}}`);
      expect(() => loadTokenizer(folder)).toThrow(/tokenizer\.json: (model: |is not JSON)/);
    }
  });
});

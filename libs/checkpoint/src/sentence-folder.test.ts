import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { loadSentenceSettings, saveSentenceSettings, type SentenceSettings } from './sentence-folder.ts';

const fixture = join(import.meta.dirname, '../../nn/fixtures/generated/minilm');

describe('the settings of a folder of sentence-transformers', () => {
  it('are those that its modules name', () => {
    expect(loadSentenceSettings(fixture)).toEqual({ pooling: { mode: 'mean', normalize: true } });
  });

  it('are a mean without normalisation where it is none of theirs', () => {
    expect(loadSentenceSettings(temporaryFolder())).toEqual({ pooling: { mode: 'mean', normalize: false } });
  });

  it.each<SentenceSettings>([
    { pooling: { mode: 'cls', normalize: true }, maxTokens: 256 },
    { pooling: { mode: 'max', normalize: false }, prompts: { query: 'query: ', passage: 'passage: ' } },
    { pooling: { mode: 'mean-sqrt-length', normalize: false } },
  ])('are read as they were written: %j', (settings) => {
    const folder = temporaryFolder();
    saveSentenceSettings(folder, settings, 12);
    expect(loadSentenceSettings(folder)).toEqual(settings);
  });

  it('come in the spelling of newer files too', () => {
    const folder = copy();
    write(folder, '1_Pooling/config.json', { embedding_dimension: 12, pooling_mode: 'cls' });
    expect(loadSentenceSettings(folder).pooling.mode).toBe('cls');
  });

  it('take the longest text from the tokenizer where they do not name it', () => {
    const folder = copy();
    write(folder, 'tokenizer_config.json', { model_max_length: 24 });
    expect(loadSentenceSettings(folder).maxTokens).toBe(24);
    write(folder, 'sentence_bert_config.json', { max_seq_length: 16 });
    expect(loadSentenceSettings(folder).maxTokens).toBe(16);
    const plain = temporaryFolder();
    write(plain, 'tokenizer_config.json', { model_max_length: 1e30 });
    expect(loadSentenceSettings(plain)).toEqual({ pooling: { mode: 'mean', normalize: false } });
  });

  const module = (type: string, path: string): object => ({ type: `sentence_transformers.models.${type}`, path });

  it.each<[string, string, unknown, string]>([
    [
      'a layer after pooling',
      'modules.json',
      [module('Transformer', ''), module('Pooling', '1_Pooling'), module('Dense', '2_Dense')],
      'its modules are Transformer, Pooling, Dense; supported are Transformer, Pooling and perhaps Normalize',
    ],
    ['no list', 'modules.json', {}, 'no list of modules'],
    ['a module of no type', 'modules.json', [{ path: '' }], 'a module has no type and path'],
    [
      'a folder elsewhere',
      'modules.json',
      [module('Transformer', ''), module('Pooling', '../x')],
      '"../x" is no folder beside it',
    ],
    [
      'two ways of pooling',
      '1_Pooling/config.json',
      { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true },
      'pooling_mode_mean_tokens and pooling_mode_cls_token is chosen; supported is one of pooling_mode_mean_tokens, pooling_mode_cls_token, pooling_mode_max_tokens, pooling_mode_mean_sqrt_len_tokens',
    ],
    [
      'a way of pooling that is not known',
      '1_Pooling/config.json',
      { pooling_mode_lasttoken: true },
      'pooling_mode_lasttoken is chosen; supported is one of',
    ],
    [
      'pooling that leaves prompts out',
      '1_Pooling/config.json',
      { pooling_mode: 'mean', include_prompt: false },
      'include_prompt is false; pooling that leaves prompts out is not supported',
    ],
    [
      'a prompt before every text',
      'config_sentence_transformers.json',
      { prompts: { query: 'q: ' }, default_prompt_name: 'query' },
      'default_prompt_name is "query"; prompts that are put before every text are not supported',
    ],
  ])('are refused with %s', (_name, file, value, message) => {
    const folder = copy();
    write(folder, file, value);
    expect(() => loadSentenceSettings(folder)).toThrow(`${join(folder, file)}: ${message}`);
  });
});

function copy(): string {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  cpSync(fixture, folder, { recursive: true });
  expect(readFileSync(join(folder, 'modules.json'), 'utf8')).not.toBe('');
  return folder;
}

function write(folder: string, file: string, value: unknown): void {
  writeFileSync(join(folder, file), JSON.stringify(value));
}

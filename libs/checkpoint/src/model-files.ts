/** Which files of a folder or a repository belong to a model. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import { weightFileNames } from './weight-files.ts';

/** Text, by a model's tokenizer, in the formats of all the programs that made one. */
const tokenizerFiles = new Set([
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'tokenizer.model',
  'spiece.model',
  'sentencepiece.bpe.model',
]);

/** How a folder of sentence-transformers pools. */
const sentenceFile =
  /^(modules\.json|sentence_bert_config\.json|config_sentence_transformers\.json|\d+_\w+\/config\.json)$/;

/** What their authors ask to go along with them. */
const termsFile = /^(LICEN[CS]E|NOTICE|USE_POLICY)(\.(md|txt))?$/i;

const weightFile = /^model(-\d{5}-of-\d{5})?\.safetensors$|^model\.safetensors\.index\.json$/;

/** Whether a file (its path within the folder) is one of those beside config.json and the weights. */
function isCompanion(path: string): boolean {
  return (
    tokenizerFiles.has(path) || path === 'generation_config.json' || sentenceFile.test(path) || termsFile.test(path)
  );
}

/**
 * Of the paths of a repository, those that are needed to have its model. Throws where there are no weights that can be read.
 */
export function modelFilesOf(paths: readonly string[], repo: string): string[] {
  const fail = (what: string): never => {
    throw invalidInput(`${repo}: ${what}`, { at: repo });
  };
  if (!paths.includes('config.json')) fail('it is no repository of a model: it has no config.json');
  const weights = paths.filter((path) => weightFile.test(path));
  const needed = weights.includes('model.safetensors') ? ['model.safetensors'] : weights;
  if (needed.length === 0) {
    const other = paths.find((path) => /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|safetensors)$/.test(path));
    fail(
      other === undefined
        ? 'it has no weights'
        : `its weights are in ${other} and not in model.safetensors, which alone is read here: formats that run code of their author are not`,
    );
  }
  return ['config.json', ...paths.filter(isCompanion), ...needed];
}

/** Copies what is beside config.json and the weights. */
export function copyCompanions(from: string, to: string): void {
  for (const path of filesOf(from).filter(isCompanion)) copy(from, to, path);
}

/** Copies everything that makes the model, as it is. */
export function copyModelFiles(from: string, to: string): void {
  for (const path of ['config.json', ...weightFileNames(from)]) copy(from, to, path);
  if (existsSync(join(from, 'model.safetensors.index.json')) && !existsSync(join(from, 'model.safetensors')))
    copy(from, to, 'model.safetensors.index.json');
  copyCompanions(from, to);
}

/** Copies files by their names. */
export function copyFiles(from: string, to: string, paths: readonly string[]): void {
  for (const path of paths) copy(from, to, path);
}

/** Files of a folder and of the folders in it. */
function filesOf(folder: string): string[] {
  return readdirSync(folder).flatMap((entry) => {
    if (!statSync(join(folder, entry)).isDirectory()) return [entry];
    return readdirSync(join(folder, entry)).map((inner) => `${entry}/${inner}`);
  });
}

function copy(from: string, to: string, path: string): void {
  const target = join(to, path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(from, path), target);
}

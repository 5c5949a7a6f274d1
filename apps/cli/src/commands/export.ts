import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  exportGguf,
  exportModelFolder,
  exportModelOnnx,
  type FloatType,
  type GgufType,
  ggufTypes,
  type ModelVersion,
} from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';

const formats = ['huggingface', 'onnx', 'gguf'] as const;

/** How folders name the precisions. */
const folderTypes: Readonly<Record<string, FloatType>> = { f32: 'F32', f16: 'F16', bf16: 'BF16' };

interface ExportOptions {
  readonly format: (typeof formats)[number];
  readonly to: string;
  readonly type?: string;
  readonly maxShardSize?: number;
  readonly externalData?: true;
  readonly json?: true;
}

/** Writes a model of the registry for other programs. */
export function exportCommand(): Command {
  return new Command('export')
    .argument('<model>', 'NAME or NAME@VERSION')
    .addOption(new Option('--format <format>', 'what to write').choices(formats).makeOptionMandatory())
    .requiredOption('--to <path>', 'a new folder (huggingface) or file (onnx, gguf)')
    .option(
      '--type <type>',
      'how numbers are stored; huggingface: f32, f16, bf16; gguf: f32, f16, q8_0, q4_0 (default: f32; gguf: f16)',
    )
    .option(
      '--max-shard-size <size>',
      'huggingface: bytes of a file of weights at most, as 500MB (default: 5GB)',
      parseSize,
    )
    .option(
      '--external-data',
      'onnx: write the weights beside the file, into PATH.data, also where it has room for them',
    )
    .option('--json', 'print the result as JSON')
    .action((reference: string, options: ExportOptions, command: Command) => {
      assertTogether(options);
      const model = registryOf(settingsFor(command)).resolve(reference);
      const path = resolve(options.to);
      write(model, path, options);
      if (options.json) printJson({ model: `${model.name}@${model.version}`, format: options.format, path });
      else print(`${model.name}@${model.version} is in ${path}.`);
    });
}

function write(model: ModelVersion, path: string, options: ExportOptions): void {
  switch (options.format) {
    case 'huggingface': {
      if (existsSync(path) && (!statSync(path).isDirectory() || readdirSync(path).length > 0))
        throw new CrucibleError('conflict', `--to ${options.to}: there is something already`, { at: '--to' });
      const floats = folderTypes[options.type ?? 'f32']!;
      const { maxShardSize: maxShardBytes } = options;
      mkdirSync(path, { recursive: true });
      exportModelFolder(model.folder, path, { floats, ...(maxShardBytes !== undefined && { maxShardBytes }) });
      return;
    }
    case 'onnx':
      prepareFile(path, options);
      exportModelOnnx(model.folder, path, { external: options.externalData });
      return;
    case 'gguf':
      prepareFile(path, options);
      exportGguf(model.folder, path, { type: (options.type ?? 'f16') as GgufType, name: model.name });
  }
}

function prepareFile(path: string, { to }: ExportOptions): void {
  if (existsSync(path)) throw new CrucibleError('conflict', `--to ${to}: there is something already`, { at: '--to' });
  mkdirSync(dirname(path), { recursive: true });
}

/** Throws for options that the format does not have. */
function assertTogether({ format, type, maxShardSize, externalData }: ExportOptions): void {
  const refuse = (option: string, what: string): never => {
    throw invalidInput(`${option}: ${what}`, { at: option });
  };
  const allowed: readonly string[] = { huggingface: Object.keys(folderTypes), gguf: ggufTypes, onnx: ['f32'] }[format];
  if (type !== undefined && !allowed.includes(type))
    refuse(`--type ${type}`, `${format} is written as ${allowed.join(', ')}`);
  if (maxShardSize !== undefined && format !== 'huggingface')
    refuse('--max-shard-size', `it is for huggingface, not for ${format}`);
  if (externalData && format !== 'onnx') refuse('--external-data', `it is for onnx, not for ${format}`);
}

const units: Readonly<Record<string, number>> = { '': 1, kb: 1e3, mb: 1e6, gb: 1e9 };

function parseSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmg]b)?$/i.exec(text) ?? [];
  const bytes = Number(number) * (units[unit.toLowerCase()] ?? 0);
  if (number === '' || bytes < 1) throw new InvalidArgumentError('it must be a number of bytes, as 500MB or 2GB');
  return bytes;
}

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import {
  loadLanguageModel,
  loadSpecialTokenIds,
  type ModelVersion,
  readModelKind,
  saveQuantizedModel,
} from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { perplexity, type QuantizationMethod, quantizationMethods, quantizeModel } from '@crucible/inference';
import { loadTokenizer, saveTokenizer } from '@crucible/tokenizer';
import { announceModel } from '../announce-model.ts';
import { note, print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';

interface QuantizeOptions {
  readonly name?: string;
  readonly bits: '4' | '8';
  readonly headBits: '4' | '8' | '32';
  readonly method: QuantizationMethod;
  readonly calibration?: string;
  readonly json?: true;
}

/** A language model in few bits, for serving. */
export function quantizeCommand(): Command {
  return new Command('quantize')
    .argument('<model>', 'NAME or NAME@VERSION')
    .option('--name <name>', 'name of the model that is made (default: NAME-q4 or NAME-q8)')
    .addOption(new Option('--bits <bits>', 'of the matrices inside the model').choices(['4', '8']).default('4'))
    .addOption(
      new Option('--head-bits <bits>', 'of the matrix that predicts tokens; embeddings stay as they are')
        .choices(['4', '8', '32'])
        .default('8'),
    )
    .addOption(
      new Option('--method <method>', 'rtn rounds to the nearest; gptq such that errors make up for each other')
        .choices(quantizationMethods)
        .default('gptq'),
    )
    .option(
      '--calibration <file>',
      'text like that which the model will read: gptq learns from it, and its last tenth measures what is lost',
    )
    .option('--json', 'print the result as JSON')
    .action(async (reference: string, options: QuantizeOptions, command: Command) => {
      const settings = settingsFor(command);
      const registry = registryOf(settings);
      const source = registry.resolve(reference);
      assertWhole(source);
      const { weights, config } = loadLanguageModel(source.folder);
      const tokenizer = loadTokenizer(source.folder);
      const bits = Number(options.bits) as 4 | 8;
      const headBits = Number(options.headBits) as 4 | 8 | 32;
      const text = options.calibration === undefined ? undefined : readText(options.calibration);
      const rows = text === undefined ? undefined : rowsOf(tokenizer.encode(text), config.maxPositions);
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort());
      const made = await quantizeModel(weights, config, {
        bits,
        headBits,
        method: options.method,
        signal: interrupted.signal,
        ...(rows && { calibration: rows.calibration }),
        ...(!options.json && { report: ({ done, groups }) => note(`${done} of ${groups} groups of layers`) }),
      });
      const metrics = rows && {
        perplexity_before: await perplexity({ weights, quantized: new Map() }, config, rows.heldOut),
        perplexity: await perplexity(made, config, rows.heldOut),
      };
      const name = options.name ?? `${source.name}-q${bits}`;
      const record = { method: options.method, bits, headBits };
      const version = await registry.publish(
        {
          name,
          stage: 'quantize',
          kind: 'language',
          step: 0,
          finished: true,
          metrics: { bits, ...metrics },
          parent: `${source.name}@${source.version}`,
          ...(source.origin !== undefined && { origin: source.origin }),
        },
        (folder) => {
          saveQuantizedModel(folder, { config, ...made }, record, loadSpecialTokenIds(source.folder));
          saveTokenizer(tokenizer, folder);
        },
      );
      await announceModel(settings, version);
      if (options.json) {
        printJson({ model: `${name}@${version.version}`, ...record, ...metrics });
        return;
      }
      if (metrics) {
        const { perplexity_before: before, perplexity: after } = metrics;
        const cost = ((after / before - 1) * 100).toFixed(1);
        print(
          `Perplexity on the last tenth of the text: ${before.toFixed(3)} before, ${after.toFixed(3)} now (${cost} %).`,
        );
      } else {
        print('What it costs was not measured: --calibration names a text for it.');
      }
      print(`Made ${name}@${version.version}.`);
    });
}

function assertWhole({ name, version, kind, folder }: ModelVersion): void {
  if (kind !== 'language')
    throw invalidInput(`${name}@${version} is no language model; those alone are quantised`, { at: 'model' });
  // Throws for one of few bits.
  readModelKind(folder);
}

function readText(path: string): string {
  try {
    return readFileSync(resolve(path), 'utf8');
  } catch (reason) {
    throw CrucibleError.from(reason);
  }
}

/** Tokens of a row at most, and rows at most, of which gptq learns and on which is measured. */
const longestRow = 512;
const mostCalibration = 32;
const mostHeldOut = 16;

/** Rows from all over the first nine tenths, and from the last one. */
function rowsOf(tokens: readonly number[], context: number): { calibration: Int32Array[]; heldOut: Int32Array[] } {
  const least = 320;
  if (tokens.length < least) {
    throw invalidInput(
      `--calibration: its ${tokens.length} tokens are too few; ${least} are needed, and some thousands are better`,
      {
        at: '--calibration',
      },
    );
  }
  const cut = Math.floor(tokens.length * 0.9);
  const heldOut = tokens.slice(cut);
  const time = Math.min(longestRow, context, heldOut.length);
  return {
    calibration: spread(tokens.slice(0, cut), time, mostCalibration),
    heldOut: spread(heldOut, time, mostHeldOut),
  };
}

function spread(tokens: readonly number[], time: number, most: number): Int32Array[] {
  const all = Math.floor(tokens.length / time);
  const count = Math.min(all, most);
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * all) / count) * time;
    return Int32Array.from(tokens.slice(start, start + time));
  });
}

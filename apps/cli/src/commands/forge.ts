import { Command } from 'commander';
import type { JsonObject } from '@bufbuild/protobuf';
import { defaultPreset, defaultPresetForFiles, presets } from '@crucible/training';
import type { Job } from '@crucible/protos/trainer/v1';
import { deviceOption, note, precisionOption, print, printJson, settingsFor } from '../context.ts';
import { runJob } from '../run-job.ts';
import { collectOption, collectPath, parseSeed, skipInvalidOption, withSkippedRows } from '../stage-options.ts';
import { forgeReport, type ForgeFigures } from '../terminal/forge-report.ts';

export interface ForgeCommandOptions {
  readonly corpus?: readonly string[];
  readonly instructions?: readonly string[];
  readonly preferences?: readonly string[];
  readonly name: string;
  readonly preset?: string;
  readonly seed: number;
  readonly set?: JsonObject;
  readonly skipInvalid?: true;
  readonly json?: true;
}

export function forgeCommand(): Command {
  return new Command('forge')
    .option('--corpus <path>', 'folder or file of plain text; repeatable (default: the built-in world)', collectPath)
    .option('--instructions <file>', 'JSONL of questions with answers; repeatable', collectPath)
    .option('--preferences <file>', 'JSONL of compared or graded answers; repeatable', collectPath)
    .option('--name <name>', 'the models are called NAME-a to NAME-d', 'crucible')
    .option(
      '--preset <preset>',
      `size and length: ${Object.keys(presets).join(', ')} (default: ${defaultPreset}; with files ${defaultPresetForFiles})`,
    )
    .option(...deviceOption)
    .option(...precisionOption)
    .option('--seed <number>', 'the same seed and data give the same models', parseSeed, 1)
    .option(...skipInvalidOption)
    .option('--set <option>', 'an option over the preset, as sft.steps=100; repeatable', collectOption)
    .option('--json', 'print the figures as JSON')
    .addHelpText(
      'after',
      '\nAn interrupted forge goes on from its last checkpoint when the same command is given again.\n' +
        'File formats: docs/data-formats.md',
    )
    .action(async (options: ForgeCommandOptions, command: Command) => {
      const settings = settingsFor(command);
      const job = await runJob({
        settings,
        spec: forgeSpec(options),
        expected: ['tokenizer', 'pretrain', 'sft', 'reward', 'ppo'],
        quiet: options.json === true,
      });
      const figures = figuresOf(job);
      if (options.json) {
        printJson({
          job: job.id,
          models: job.outputs.map(({ name, version }) => `${name}@${version}`),
          metrics: figures,
        });
        return;
      }
      note();
      print(forgeReport(figures));
    });
}

/** The spec of a forge: of the built-in world unless files are given. */
export function forgeSpec({
  name,
  preset = '',
  seed,
  corpus = [],
  instructions = [],
  preferences = [],
  set = {},
  skipInvalid,
}: Omit<ForgeCommandOptions, 'json'>) {
  return {
    kind: {
      case: 'forge' as const,
      value: {
        name,
        preset,
        seed,
        corpusUris: [...corpus],
        instructionUris: [...instructions],
        preferenceUris: [...preferences],
        options: skipInvalid ? withSkippedRows(set) : set,
      },
    },
  };
}

/** The report's figures: the last thing that a forge says of itself. */
export function figuresOf(job: Pick<Job, 'stage' | 'metrics'>): ForgeFigures {
  return job.stage === 'report' ? job.metrics : {};
}

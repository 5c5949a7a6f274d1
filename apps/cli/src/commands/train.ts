import type { JsonObject } from '@bufbuild/protobuf';
import { Command } from 'commander';
import { invalidInput } from '@crucible/foundation';
import { adapterKinds } from '@crucible/nn';
import { defaultPreset, presets } from '@crucible/training';
import { deviceOption, precisionOption, print, printJson, settingsFor } from '../context.ts';
import type { JobSpecInit } from '../job-client.ts';
import { runJob } from '../run-job.ts';
import {
  collectOption,
  collectPath,
  parseSeed,
  skipInvalidOption,
  withAdapter,
  withSkippedRows,
} from '../stage-options.ts';

interface StageOptions {
  readonly name: string;
  readonly seed: number;
  readonly set?: JsonObject;
  readonly skipInvalid?: true;
  readonly adapter?: string;
  readonly json?: true;
}

const adapterOption = [
  '--adapter <kind>',
  `learn an adapter and leave the base as it is: ${adapterKinds.join(', ')}; its options are --set adapter.rank=8 and the like`,
] as const;

type StageKind = 'pretrain' | 'mlm' | 'sft' | 'reward' | 'ppo';

/** One stage at a time, from models of the registry and files. */
export function trainCommand(): Command {
  const train = new Command('train');

  addStage(train, 'pretrain', 'a tokenizer and a base model from plain text')
    .requiredOption('--corpus <path>', 'folder or file of plain text; repeatable', collectPath)
    .option('--preset <preset>', `size and length: ${Object.keys(presets).join(', ')}`, defaultPreset)
    .action((options: StageOptions & { corpus: string[]; preset: string }, command: Command) => {
      const { preset, corpus } = options;
      const value = { ...common(options), preset, corpusUris: corpus };
      return runStage(command, options, { kind: { case: 'pretrain', value } });
    });

  addStage(train, 'mlm', 'an encoder from plain text, by finding masked words again')
    .requiredOption('--corpus <path>', 'folder or file of plain text; repeatable', collectPath)
    .option('--base <model>', 'a masked language model to go on from, NAME or NAME@VERSION (default: a new one)')
    .action((options: StageOptions & { corpus: string[]; base?: string }, command: Command) => {
      const { base, corpus } = options;
      const value = {
        ...common(options),
        corpusUris: corpus,
        ...(base !== undefined && { baseModel: reference(base, '--base') }),
      };
      return runStage(command, options, { kind: { case: 'mlm', value } });
    });

  addStage(train, 'sft', 'a chat model from a base model and conversations')
    .requiredOption('--base <model>', 'the base model, NAME or NAME@VERSION')
    .requiredOption('--instructions <file>', 'JSONL of questions with answers; repeatable', collectPath)
    .option(...adapterOption)
    .option(...skipInvalidOption)
    .action((options: StageOptions & { base: string; instructions: string[] }, command: Command) => {
      const value = {
        ...common(options),
        baseModel: reference(options.base, '--base'),
        instructionUris: options.instructions,
      };
      return runStage(command, options, { kind: { case: 'sft', value } });
    });

  addStage(train, 'reward', 'a reward model from a chat model and compared answers')
    .requiredOption('--base <model>', 'the chat model, NAME or NAME@VERSION')
    .requiredOption('--preferences <file>', 'JSONL of compared or graded answers; repeatable', collectPath)
    .option(...adapterOption)
    .option(...skipInvalidOption)
    .action((options: StageOptions & { base: string; preferences: string[] }, command: Command) => {
      const value = {
        ...common(options),
        baseModel: reference(options.base, '--base'),
        preferenceUris: options.preferences,
      };
      return runStage(command, options, { kind: { case: 'reward', value } });
    });

  addStage(train, 'ppo', 'a chat model improved against a reward model')
    .requiredOption('--base <model>', 'the chat model, NAME or NAME@VERSION')
    .requiredOption('--reward-model <model>', 'the reward model, NAME or NAME@VERSION')
    .requiredOption('--prompts <file>', 'JSONL of prompts, in any of the formats; repeatable', collectPath)
    .option(...skipInvalidOption)
    .action((options: StageOptions & { base: string; rewardModel: string; prompts: string[] }, command: Command) => {
      const value = {
        ...common(options),
        baseModel: reference(options.base, '--base'),
        rewardModel: reference(options.rewardModel, '--reward-model'),
        promptUris: options.prompts,
      };
      return runStage(command, options, { kind: { case: 'ppo', value } });
    });

  return train;
}

function addStage(train: Command, kind: StageKind, makes: string): Command {
  return train
    .command(kind)
    .description(makes)
    .requiredOption('--name <name>', 'name of the model that is made')
    .option(...deviceOption)
    .option(...precisionOption)
    .option('--seed <number>', 'the same seed and data give the same model', parseSeed, 1)
    .option('--set <option>', 'an option over the defaults, as steps=100; repeatable', collectOption)
    .option('--json', 'print the result as JSON');
}

function common({ name, seed, set = {}, skipInvalid, adapter }: StageOptions): {
  name: string;
  seed: number;
  options: JsonObject;
} {
  const given = adapter === undefined ? set : withAdapter(set, adapter);
  return { name, seed, options: skipInvalid ? withSkippedRows(given) : given };
}

async function runStage(command: Command, { json }: StageOptions, spec: JobSpecInit): Promise<void> {
  const kind = spec.kind!.case as StageKind;
  const job = await runJob({ settings: settingsFor(command), spec, expected: [kind], quiet: json === true });
  const models = job.outputs.map(({ name, version }) => `${name}@${version}`);
  if (json) printJson({ job: job.id, models, metrics: job.metrics });
  else print(`Made ${models.join(', ')}.`);
}

/** `NAME` or `NAME@VERSION` as a message; version 0 means the newest. */
function reference(text: string, option: string): { name: string; version: number } {
  const [name = '', version = '0', ...rest] = text.split('@');
  if (rest.length > 0 || !/^\d+$/.test(version))
    throw invalidInput(`${option} ${text}: it must be NAME or NAME@VERSION`, { at: option });
  return { name, version: Number(version) };
}

import { resolve } from 'node:path';
import { Command } from 'commander';
import { importAdapter, mergeAdapter, type ModelVersion, openModelFolder, unmergeAdapter } from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { PolicyService } from '@crucible/protos/policy/v1';
import { type Client, createClient } from '@crucible/rpc';
import type { Settings } from '@crucible/service';
import { announceModel, loadDeadlineMs } from '../announce-model.ts';
import { print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { findRunning } from '../run-file.ts';

interface Named {
  readonly name: string;
  readonly json?: true;
}

/** Adapters of models: taken in, merged and taken out again, loaded and unloaded. They are made by `crucible train`. */
export function adaptersCommand(): Command {
  const adapters = new Command('adapters');

  adapters
    .command('import')
    .description('take a folder of PEFT into the registry')
    .argument('<dir>', 'folder with adapter_config.json and adapter_model.safetensors')
    .requiredOption('--base <model>', 'the model that it belongs to, NAME or NAME@VERSION')
    .requiredOption('--name <name>', 'name of the adapter in the registry')
    .option('--json', 'print the result as JSON')
    .action(async (folder: string, options: Named & { base: string }, command: Command) => {
      const settings = settingsFor(command);
      const registry = registryOf(settings);
      const base = registry.resolve(options.base);
      const origin = resolve(folder);
      await made(settings, options, await importAdapter(registry, origin, { name: options.name, base, origin }));
    });

  adapters
    .command('merge')
    .description('put LoRA into the weights of its model')
    .argument('<adapter>', 'NAME or NAME@VERSION')
    .requiredOption('--name <name>', 'name of the model that is made')
    .option('--base <model>', 'another model to merge it into (default: the one that it was trained on)')
    .option('--json', 'print the result as JSON')
    .action(async (reference: string, options: Named & { base?: string }, command: Command) => {
      const settings = settingsFor(command);
      const registry = registryOf(settings);
      const adapter = registry.resolve(reference);
      const base = registry.resolve(options.base ?? parentOf(adapter));
      await made(settings, options, await mergeAdapter(registry, { adapter, base, name: options.name }));
    });

  adapters
    .command('unmerge')
    .description('take LoRA out of the weights that it was merged into')
    .argument('<model>', 'NAME or NAME@VERSION')
    .requiredOption('--name <name>', 'name of the model that is made')
    .option('--json', 'print the result as JSON')
    .action(async (reference: string, options: Named, command: Command) => {
      const settings = settingsFor(command);
      const registry = registryOf(settings);
      const model = registry.resolve(reference);
      await made(settings, options, await unmergeAdapter(registry, { model, name: options.name }));
    });

  adapters
    .command('load')
    .description('serve an adapter beside its model, as MODEL:NAME')
    .argument('<adapter>', 'NAME or NAME@VERSION of the registry, or a folder')
    .option('--base <model>', 'name of the served model (default: the one that it was trained on)')
    .option('--as <name>', 'what it is called (default: its name)')
    .option('--json', 'print the result as JSON')
    .action(async (reference: string, options: { base?: string; as?: string; json?: true }, command: Command) => {
      const settings = settingsFor(command);
      const isFolder = /[/\\]/.test(reference);
      const adapter = isFolder ? openModelFolder(reference) : registryOf(settings).resolve(reference);
      const { version, uri, sha256 } = adapter;
      const model = options.base ?? parentOf(adapter).split('@')[0]!;
      await withPolicy(settings, async (policy) => {
        const update = { model, adapter: options.as ?? adapter.name, version, uri, sha256, allowRollback: true };
        const { model: info } = await policy.loadAdapter(update);
        if (options.json) printJson({ model: info!.name, version: info!.version });
        else print(`${info!.name} serves version ${info!.version}.`);
      });
    });

  adapters
    .command('unload')
    .description('serve an adapter no longer')
    .argument('<name>', 'MODEL:NAME, as it is served')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, options: { json?: true }, command: Command) => {
      const [model = '', adapter, ...rest] = name.split(':');
      if (adapter === undefined || rest.length > 0)
        throw invalidInput(`${name}: it must be MODEL:NAME, as it is served`, { at: 'name' });
      await withPolicy(settingsFor(command), async (policy) => {
        await policy.unloadAdapter({ model, adapter });
        if (options.json) printJson({ model: name });
        else print(`${name} is no longer served.`);
      });
    });

  return adapters;
}

function parentOf({ name, version, parent }: ModelVersion): string {
  if (parent !== undefined) return parent;
  throw invalidInput(`${name}@${version} does not say which model it belongs to; --base names it`, { at: '--base' });
}

async function made(settings: Settings, { json }: Named, version: ModelVersion): Promise<void> {
  await announceModel(settings, version);
  const model = `${version.name}@${version.version}`;
  if (json) printJson({ model, kind: version.kind, parent: version.parent });
  else print(`Made ${model}.`);
}

async function withPolicy(
  settings: Settings,
  work: (policy: Client<typeof PolicyService>) => Promise<void>,
): Promise<void> {
  const running = findRunning(settings.home);
  if (!running)
    throw new CrucibleError('failed-precondition', 'nothing serves here; `crucible up` does, with the same --home');
  const policy = createClient(PolicyService, running.policy, { deadlineMs: loadDeadlineMs });
  try {
    await work(policy);
  } finally {
    policy.close();
  }
}

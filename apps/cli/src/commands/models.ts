import { Command } from 'commander';
import { resolve } from 'node:path';
import { importModel } from '@crucible/checkpoint';
import { announceModel } from '../announce-model.ts';
import { print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { minute, table } from '../terminal/format.ts';

export function modelsCommand(): Command {
  const models = new Command('models');
  models
    .command('list', { isDefault: true })
    .description('list them')
    .option('--json', 'print JSON')
    .action(listModels);
  models
    .command('import')
    .description("take a folder of Hugging Face's layout into the registry")
    .argument('<dir>', 'folder with config.json, model.safetensors and tokenizer.json')
    .requiredOption('--name <name>', 'name of the model in the registry')
    .option('--json', 'print the result as JSON')
    .action(async (folder: string, options: { name: string; json?: true }, command: Command) => {
      const settings = settingsFor(command);
      const origin = resolve(folder);
      const version = await importModel(registryOf(settings), origin, { name: options.name, origin });
      await announceModel(settings, version);
      if (options.json) printJson({ model: `${version.name}@${version.version}`, kind: version.kind, origin });
      else print(`Made ${version.name}@${version.version}.`);
    });
  return models;
}

function listModels(options: { json?: true }, command: Command): void {
  const models = registryOf(settingsFor(command)).list();
  if (options.json) {
    printJson({ models });
    return;
  }
  if (models.length === 0) {
    print('There are no models yet. `crucible forge` makes some.');
    return;
  }
  const rows = models.map(({ name, version, stage, finished, step, createdAt, folder }) => [
    name,
    String(version),
    stage,
    finished ? 'finished' : `step ${step}`,
    minute(createdAt),
    folder,
  ]);
  print(table([['NAME', 'VERSION', 'STAGE', 'STATE', 'CREATED', 'FOLDER'], ...rows], { figures: false }));
}

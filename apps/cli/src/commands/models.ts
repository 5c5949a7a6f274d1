import { Command } from 'commander';
import { print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { minute, table } from '../terminal/format.ts';

export function modelsCommand(): Command {
  return new Command('models').option('--json', 'print JSON').action((options: { json?: true }, command: Command) => {
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
  });
}

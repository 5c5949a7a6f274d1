import { existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { importModel, modelFilesOf } from '@crucible/checkpoint';
import { invalidInput } from '@crucible/foundation';
import { pullRepository } from '@crucible/hub';
import { announceModel } from '../announce-model.ts';
import { print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { TransferDisplay } from '../terminal/transfer-display.ts';

interface PullCommandOptions {
  readonly revision: string;
  readonly name?: string;
  readonly to?: string;
  readonly json?: true;
}

/** Brings a model from a hub, into the registry or a folder. */
export function pullCommand(): Command {
  return new Command('pull')
    .argument('<repo>', 'OWNER/NAME of a repository of models')
    .option('--revision <revision>', 'branch, tag or commit', 'main')
    .option('--name <name>', 'name of the model in the registry (default: that of the repository, in lower case)')
    .option('--to <dir>', 'a folder to put the files into, in place of the registry')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nThe hub is https://huggingface.co, or that of $HF_ENDPOINT; $HF_TOKEN is for what is not public.\nA pull that was stopped goes on where it was when it is given again.',
    )
    .action(async (repo: string, options: PullCommandOptions, command: Command) => {
      if (options.name !== undefined && options.to !== undefined)
        throw invalidInput('--name and --to exclude each other: the one is for the registry, the other for a folder', {
          at: '--name',
        });
      await pull(repo, options, command);
    });
}

async function pull(repo: string, options: PullCommandOptions, command: Command): Promise<void> {
  const settings = settingsFor(command);
  const folder =
    options.to === undefined ? join(settings.home, 'downloads', repo.replaceAll('/', '--')) : resolve(options.to);
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once('SIGINT', stop);
  const display = new TransferDisplay();
  const { HF_ENDPOINT: endpoint = '', HF_TOKEN: token = '' } = process.env;
  try {
    mkdirSync(folder, { recursive: true });
    const { commit, paths } = await pullRepository({
      repo,
      revision: options.revision,
      to: folder,
      select: (all) => modelFilesOf(all, repo),
      signal: interrupted.signal,
      onProgress: (progress) => display.update(progress),
      ...(endpoint !== '' && { endpoint }),
      ...(token !== '' && { token }),
    });
    display.finish();
    if (options.to !== undefined) {
      if (options.json) printJson({ folder, commit, files: paths });
      else print(`${repo} is in ${folder}.`);
      return;
    }
    const name = options.name ?? repo.split('/').at(-1)!.toLowerCase();
    const origin = `${repo}@${commit}`;
    const version = await importModel(registryOf(settings), folder, { name, origin });
    rmSync(folder, { recursive: true });
    await announceModel(settings, version);
    if (options.json) printJson({ model: `${version.name}@${version.version}`, kind: version.kind, origin });
    else print(`Made ${version.name}@${version.version} of ${repo}.`);
  } finally {
    display.finish();
    process.off('SIGINT', stop);
    if (existsSync(folder)) removeIfEmpty(folder);
  }
}

/** A folder of nothing, which a refused pull would leave. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It has something in it: a download that goes on later.
  }
}

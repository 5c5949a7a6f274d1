/** The `crucible` command. Each subcommand is a file in commands/. */
import { Command, CommanderError } from 'commander';
import { CrucibleError } from '@crucible/foundation';
import { chatCommand } from './commands/chat.ts';
import { evalCommand } from './commands/eval.ts';
import { forgeCommand } from './commands/forge.ts';
import { jobsCommand } from './commands/jobs.ts';
import { modelsCommand } from './commands/models.ts';
import { serveCommand } from './commands/serve.ts';
import { trainCommand } from './commands/train.ts';
import { upCommand } from './commands/up.ts';

/** Exit codes: 0 done, 1 failed, 2 the command was given something wrong, 130 interrupted. */
const usageError = 2;

const program = new Command('crucible')
  .description('Forge, tame and arm a chat model on your own machine.')
  .option('--home <dir>', 'where models, jobs and the bus live (default: $CRUCIBLE_HOME or .crucible)')
  .showHelpAfterError('(see --help)')
  .exitOverride();

const commands = [
  upCommand,
  forgeCommand,
  trainCommand,
  chatCommand,
  evalCommand,
  modelsCommand,
  jobsCommand,
  serveCommand,
];
for (const command of commands) program.addCommand(inherit(command()));

try {
  await program.parseAsync();
} catch (reason) {
  process.exitCode = explain(reason);
}

function inherit(command: Command): Command {
  command.copyInheritedSettings(program);
  for (const child of command.commands) inherit(child);
  return command;
}

/** Says what went wrong, without a stack trace for what is no bug of ours. Returns the exit code. */
function explain(reason: unknown): number {
  if (reason instanceof CommanderError) return reason.exitCode === 0 ? 0 : usageError;
  const error = CrucibleError.from(reason);
  const isBug = error.code === 'internal';
  process.stderr.write(`crucible: ${error.message}\n`);
  if (isBug || process.env['CRUCIBLE_DEBUG'] === '1') process.stderr.write(`${stackOf(reason)}\n`);
  return error.code === 'invalid-input' ? usageError : 1;
}

function stackOf(reason: unknown): string {
  return reason instanceof Error && reason.stack !== undefined ? reason.stack : String(reason);
}

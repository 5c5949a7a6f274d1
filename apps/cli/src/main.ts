/** The `crucible` command. Each subcommand is a file in commands/. */
import { Command, CommanderError } from 'commander';
import { CrucibleError } from '@crucible/foundation';

/** Exit codes: 0 done, 1 failed, 2 the command was given something wrong, 130 interrupted, 141 nobody reads its output. */
const usageError = 2;
const interrupted = 130;
const brokenPipe = 141;

// Whoever read it has had enough, as `| head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(brokenPipe);
});

const program = new Command('crucible')
  .description('Forge, tame and arm a chat model on your own machine.')
  .option('--home <dir>', 'where models, jobs and the bus live (default: $CRUCIBLE_HOME or .crucible)')
  .showHelpAfterError('(see --help)')
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, 'crucible:')) })
  .exitOverride();

/** What each command does, and its code, which is loaded only where its name is among the words given. */
const commands: Readonly<Record<string, readonly [summary: string, load: () => Promise<Command>]>> = {
  up: [
    'serve everything on this machine, and forge a chat model when there is none yet',
    async () => (await import('./commands/up.ts')).upCommand(),
  ],
  forge: [
    'make a chat model: tokenizer, pre-training, fine-tuning, reward model, reinforcement learning',
    async () => (await import('./commands/forge.ts')).forgeCommand(),
  ],
  train: ['run one stage of the forge', async () => (await import('./commands/train.ts')).trainCommand()],
  tune: [
    'adapt a model to a task of classification, and measure it',
    async () => (await import('./commands/tune.ts')).tuneCommand(),
  ],
  compare: [
    'run all ways of tuning side by side, and report what differs',
    async () => (await import('./commands/compare.ts')).compareCommand(),
  ],
  instruct: [
    'tune a language model on instructions, and measure it on tasks that it has never seen',
    async () => (await import('./commands/instruct.ts')).instructCommand(),
  ],
  chat: ['talk to a model', async () => (await import('./commands/chat.ts')).chatCommand()],
  ask: [
    'ask by a strategy: few-shot, step by step, self-consistent, over texts, with actions',
    async () => (await import('./commands/ask.ts')).askCommand(),
  ],
  eval: [
    'measure chat models on held-out questions of the built-in world, or retrieval',
    async () => (await import('./commands/eval.ts')).evalCommand(),
  ],
  models: ['list the models, or take one in', async () => (await import('./commands/models.ts')).modelsCommand()],
  adapters: [
    'take adapters in, merge them into models, load and unload them',
    async () => (await import('./commands/adapters.ts')).adaptersCommand(),
  ],
  quantize: [
    'make a model of few bits, for serving',
    async () => (await import('./commands/quantize.ts')).quantizeCommand(),
  ],
  pull: ['bring a model from a hub', async () => (await import('./commands/pull.ts')).pullCommand()],
  export: ['write a model for other programs', async () => (await import('./commands/export.ts')).exportCommand()],
  ingest: [
    'put documents into a collection, to be found by search',
    async () => (await import('./commands/ingest.ts')).ingestCommand(),
  ],
  search: ['find passages in a collection', async () => (await import('./commands/search.ts')).searchCommand()],
  knowledge: [
    'list, train and remove collections and documents',
    async () => (await import('./commands/knowledge.ts')).knowledgeCommand(),
  ],
  run: ['run a Python program in the sandbox', async () => (await import('./commands/run.ts')).runCommand()],
  mcp: [
    'offer retrieve, run_python and ask to other programs, over standard streams',
    async () => (await import('./commands/mcp.ts')).mcpCommand(),
  ],
  jobs: ['list or cancel training jobs', async () => (await import('./commands/jobs.ts')).jobsCommand()],
  keys: ['list, make and revoke keys of the HTTP API', async () => (await import('./commands/keys.ts')).keysCommand()],
  serve: ['run one service, over NATS', async () => (await import('./commands/serve.ts')).serveCommand()],
};

for (const [name, [summary, load]] of Object.entries(commands)) {
  const command = process.argv.includes(name) ? await load() : new Command(name);
  program.addCommand(inherit(command.description(summary)));
}

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
  if (error.code === 'cancelled') return interrupted;
  return error.code === 'invalid-input' || error.code === 'not-found' ? usageError : 1;
}

function stackOf(reason: unknown): string {
  return reason instanceof Error && reason.stack !== undefined ? reason.stack : String(reason);
}

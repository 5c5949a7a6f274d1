import { Command } from 'commander';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureConsole } from '@crucible/console';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { createLogger, runUntilStopped, type Settings } from '@crucible/service';
import { defaultPreset, presets } from '@crucible/training';
import { deviceOption, note, precisionOption, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { type Hosted, host, serviceNames } from '../hosting.ts';
import { assertSucceeded, isFinal, JobClient } from '../job-client.ts';
import { findRunning, removeRunFile, writeRunFile } from '../run-file.ts';
import { parseSeed } from '../stage-options.ts';
import { styled } from '../terminal/format.ts';
import { forgeReport } from '../terminal/forge-report.ts';
import { JobDisplay } from '../terminal/job-display.ts';
import { figuresOf, forgeSpec } from './forge.ts';

interface UpOptions {
  readonly port?: string;
  readonly host?: string;
  readonly preset: string;
  readonly seed: number;
  readonly forge: boolean;
}

/** Everything in one process; the first time it forges a model, and serves it from the first minute. */
export function upCommand(): Command {
  return new Command('up')
    .option('--port <number>', 'port of the HTTP API (default: $CRUCIBLE_GATEWAY_PORT or 8080)')
    .option('--host <address>', 'address to listen at (default: $CRUCIBLE_HOST or 127.0.0.1)')
    .option(...deviceOption)
    .option(...precisionOption)
    .option('--preset <preset>', `size of the first model: ${Object.keys(presets).join(', ')}`, defaultPreset)
    .option('--seed <number>', 'seed of the first model', parseSeed, 1)
    .option('--no-forge', 'do not make a first model')
    .action(async (options: UpOptions, command: Command) => {
      const settings = settingsFor(command, { CRUCIBLE_GATEWAY_PORT: options.port, CRUCIBLE_HOST: options.host });
      await up(settings, options);
    });
}

async function up(settings: Settings, options: UpOptions): Promise<void> {
  const running = findRunning(settings.home);
  if (running) {
    throw new CrucibleError(
      'conflict',
      `${settings.home} is served already, at http://${running.gateway} (process ${running.pid})`,
    );
  }
  if (!Object.hasOwn(presets, options.preset)) {
    throw invalidInput(`--preset ${options.preset} does not exist; there are ${Object.keys(presets).join(', ')}`, {
      at: '--preset',
    });
  }
  const logLevel = settings.logLevel === 'info' ? 'error' : settings.logLevel;
  const log = createLogger('crucible', logLevel);
  const [hosted] = await Promise.all([host(settings, serviceNames, logLevel), buildConsole(settings)]);
  const { policy, reward, trainer, retriever, sandbox, actor, gateway } = hosted.services;
  writeRunFile(settings.home, {
    pid: process.pid,
    policy: policy!.target,
    reward: reward!.target,
    trainer: trainer!.target,
    retriever: retriever!.target,
    sandbox: sandbox!.target,
    actor: actor!.target,
    gateway: gateway!.target,
  });
  note(`The console is at ${styled('bold', `http://${gateway!.target}`)}`);
  note(`Crucible serves at ${styled('bold', `http://${gateway!.target}/v1`)}  (chat: npx crucible chat)`);
  const stopping = new AbortController();
  const forging = showForge(settings, hosted, options, stopping.signal);
  forging.catch(() => undefined);
  const stopped = runUntilStopped([{ ...gateway!, close: closeAll }], log);
  async function closeAll(graceMs?: number): Promise<void> {
    note(styled('dim', '\nStopping.'));
    stopping.abort();
    removeRunFile(settings.home);
    await hosted.close(graceMs);
  }
  await stopped;
}

/** The page is built where it is not yet, or is older than its sources. Without it all else is served. */
async function buildConsole({ gateway }: Settings): Promise<void> {
  if (gateway.console !== undefined) return;
  try {
    await ensureConsole();
  } catch (reason) {
    note(`The console is not there: ${CrucibleError.from(reason).message}`);
  }
}

/** Follows the forge that is under way, or begins one when there is no finished chat model. Never throws. */
async function showForge(settings: Settings, hosted: Hosted, options: UpOptions, signal: AbortSignal): Promise<void> {
  using jobs = new JobClient(hosted.services.trainer!.target);
  try {
    const unfinished = (await jobs.list()).find(({ state, spec }) => !isFinal(state) && spec?.kind.case === 'forge');
    const isForged = registryOf(settings)
      .list()
      .some(({ kind, stage, finished }) => kind === 'language' && finished && stage !== 'pretrain');
    if (!unfinished && (isForged || !options.forge)) {
      note(
        isForged ? 'The models that were forged are loaded.' : 'There is no model yet; `npx crucible forge` makes one.',
      );
      return;
    }
    note(
      unfinished
        ? 'An unfinished forge goes on.'
        : 'There is no model yet: forging one from the built-in world, which takes some minutes.',
    );
    note('It can be talked to from the first minute, and gets better as each stage is done.\n');
    const { preset, seed } = options;
    const spec = forgeSpec({ name: 'crucible', preset, seed });
    const { id } = unfinished ?? (await jobs.submit(spec));
    const display = new JobDisplay({ expected: ['tokenizer', 'pretrain', 'sft', 'reward', 'ppo'] });
    for await (const event of jobs.watch(id, signal)) display.update(event);
    const job = await jobs.get(id);
    display.finish(job);
    assertSucceeded(job);
    note();
    note(forgeReport(figuresOf(job)));
    note();
    note(
      `Ready: ${styled('bold', 'npx crucible chat')}, or any OpenAI client at http://${hosted.services.gateway!.target}/v1`,
    );
  } catch (reason) {
    if (signal.aborted) return;
    // The services go on: what was made so far is served.
    await delay(0);
    note(`The forge ended: ${CrucibleError.from(reason).message}`);
  }
}

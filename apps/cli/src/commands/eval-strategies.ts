import { resolve } from 'node:path';
import type { Command } from 'commander';
import { createSandboxRunner } from '@crucible/chat-models';
import { createWorld, type TaskName } from '@crucible/data';
import {
  compareStrategies,
  planStrategies,
  runsPrograms,
  type StrategiesPlan,
  type Trial,
  TrialFile,
} from '@crucible/evaluation';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { StrategyName, Wording } from '@crucible/prompting';
import { describedModel, openChatApi } from '../chat-api.ts';
import { print, printJson, settingsFor } from '../context.ts';
import { accessSandbox } from '../sandbox-access.ts';
import { strategyTable } from '../terminal/strategy-table.ts';
import { TrialDisplay } from '../terminal/trial-display.ts';

export interface StrategiesOptions {
  readonly model?: string;
  readonly split: 'heldout' | 'unseen';
  readonly seed: number;
  readonly json?: true;
  /** True: all. */
  readonly strategies?: true | readonly string[];
  readonly tasks?: readonly string[];
  readonly limit?: number;
  readonly url?: string;
  readonly wording?: Wording;
  readonly shots?: number;
  readonly samples?: number;
  readonly parallel?: number;
  readonly out?: string;
}

/** Options that mean nothing without `--strategies`. */
export const strategiesOnly = ['tasks', 'limit', 'url', 'wording', 'shots', 'samples', 'parallel', 'out'] as const;

/** Of `crucible eval`, those that mean nothing with it. */
const othersOnly = ['count', 'temperature'];

/** Asks held-out questions of the built-in world by every strategy. What there is when it is stopped is printed. */
export async function evalByStrategies(options: StrategiesOptions, command: Command): Promise<void> {
  for (const name of othersOnly)
    if (command.getOptionValueSource(name) === 'cli')
      throw invalidInput(`--${name} does not go with --strategies; questions of every task are --limit`, {
        at: `--${name}`,
      });
  const { split, seed, shots, samples, limit, parallel } = options;
  const world = createWorld({ seed });
  const settings = settingsFor(command);
  const name = options.model ?? 'crucible';
  const chosen = {
    ...(options.tasks && { tasks: options.tasks as readonly TaskName[] }),
    ...(Array.isArray(options.strategies) && { strategies: options.strategies as readonly StrategyName[] }),
  };
  await using api = await openChatApi(settings, options.url);
  const model = await describedModel(api, name, options.wording);
  await using sandbox = runsPrograms(model, chosen) ? await accessSandbox(settings) : undefined;
  const about = { model: model.label, url: options.url, wording: model.wording, split, seed, shots, samples };
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once('SIGINT', stop);
  const trials: Trial[] = [];
  const display = new TrialDisplay();
  let leftOut: StrategiesPlan['leftOut'] = [];
  let failure: CrucibleError | undefined;
  try {
    const common = {
      world,
      model,
      split,
      seed,
      ...chosen,
      ...(sandbox && { code: createSandboxRunner(sandbox.sandbox) }),
      ...(limit !== undefined && { limit }),
      ...(parallel !== undefined && { parallel }),
      ...(shots !== undefined && { shots }),
      ...(samples !== undefined && { samples }),
      signal: stopped.signal,
    };
    // What is wrong with the options is said before a file is begun.
    const plan = planStrategies(common);
    leftOut = plan.leftOut;
    const file = options.out === undefined ? undefined : new TrialFile(resolve(options.out), about);
    trials.push(...plan.among(file?.trials ?? []));
    display.begin(plan.total, trials.length);
    for await (const trial of plan.trials([...trials])) {
      file?.add(trial);
      trials.push(trial);
      display.update(trial);
    }
  } catch (reason) {
    failure = CrucibleError.from(reason);
    if (trials.length === 0 || failure.code === 'internal') throw reason;
  } finally {
    process.off('SIGINT', stop);
    display.finish();
  }
  const summary = compareStrategies(trials);
  if (options.json) printJson({ ...about, complete: failure === undefined, ...summary, leftOut });
  else print(strategyTable(model.label, summary, leftOut));
  if (failure !== undefined) throw failure;
}

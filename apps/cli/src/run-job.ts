import { CrucibleError } from '@crucible/foundation';
import type { Job } from '@crucible/protos/trainer/v1';
import type { Settings } from '@crucible/service';
import { note } from './context.ts';
import { assertSucceeded, type JobSpecInit } from './job-client.ts';
import { JobDisplay } from './terminal/job-display.ts';
import { accessTrainer } from './trainer-access.ts';

export interface RunJobOptions {
  readonly settings: Settings;
  readonly spec: JobSpecInit;
  /** Stages that will come, for the display. */
  readonly expected: readonly string[];
  /** No display: a program reads the result. */
  readonly quiet: boolean;
}

/** Runs a job to its end, showing it. Throws what it failed with. */
export async function runJob({ settings, spec, expected, quiet }: RunJobOptions): Promise<Job> {
  await using access = await accessTrainer(settings);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const { id } = await access.jobs.submit(spec).catch(inWordsOfTheCommand);
    const display = quiet ? undefined : new JobDisplay({ expected });
    for await (const event of access.jobs.watch(id, interrupted.signal)) {
      if (display) display.update(event);
      else if (event.event.case === 'progressed' && event.event.value.message !== '') note(event.event.value.message);
    }
    const job = await access.jobs.get(id);
    display?.finish(job);
    assertSucceeded(job);
    return job;
  } catch (reason) {
    if (!interrupted.signal.aborted) throw reason;
    note();
    const outcome = access.isOwn
      ? 'stopped; the same command goes on from the last checkpoint'
      : 'the trainer goes on with the job; `crucible jobs` shows it';
    throw new CrucibleError('cancelled', outcome);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** Options of the command by the fields of a spec. */
const optionNames: Readonly<Record<string, string>> = {
  name: '--name',
  corpus_uris: '--corpus',
  instruction_uris: '--instructions',
  preference_uris: '--preferences',
  prompt_uris: '--prompts',
  base_model: '--base',
  reward_model: '--reward-model',
};

/** The trainer names the fields of the spec; who types the command knows its options. */
function inWordsOfTheCommand(reason: unknown): never {
  const { code, message, at } = CrucibleError.from(reason);
  const words = message.replace(/\bspec\.\w+\.(\w+)/g, (field, name: string) => optionNames[name] ?? field);
  throw new CrucibleError(code, words, { cause: reason, ...(at !== undefined && { at }) });
}

/** Runs a job of the retriever to its end, showing how far it is. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { create, type MessageInitShape, toJsonString } from '@bufbuild/protobuf';
import { CrucibleError, type ErrorCode } from '@crucible/foundation';
import { type Job, JobSpecSchema, JobState } from '@crucible/protos/retriever/v1';
import { note } from './context.ts';
import type { RetrieverAccess } from './retriever-access.ts';
import { bar } from './terminal/format.ts';

/** Milliseconds between looks. */
const interval = 300;

export async function runRetrieverJob(
  { client, isOwn }: RetrieverAccess,
  spec: MessageInitShape<typeof JobSpecSchema>,
  { quiet }: { readonly quiet: boolean },
): Promise<Job> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const isShown = !quiet && process.stderr.isTTY;
  try {
    const jobId = await idOf(client, spec);
    let { job } = await client.submitJob({ jobId, spec });
    while (!isFinal(job!.state)) {
      await delay(interval, undefined, { signal: interrupted.signal });
      ({ job } = await client.getJob({ jobId }));
      if (isShown) process.stderr.write(`\r\x1b[K${progress(job!)}`);
    }
    if (isShown) process.stderr.write('\r\x1b[K');
    return succeeded(job!);
  } catch (reason) {
    if (!interrupted.signal.aborted) throw reason;
    note();
    const outcome = isOwn
      ? 'stopped; the same command goes on where it was'
      : 'the retriever goes on with the job; `crucible knowledge jobs` shows it';
    throw new CrucibleError('cancelled', outcome);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** The same words go on with the job that they began, until it has come to its end. */
async function idOf(client: RetrieverAccess['client'], spec: MessageInitShape<typeof JobSpecSchema>): Promise<string> {
  const json = toJsonString(JobSpecSchema, create(JobSpecSchema, spec));
  const digest = createHash('sha256').update(json).digest('hex').slice(0, 12);
  const { jobs } = await client.listJobs({});
  const begun = jobs.find(({ id, state }) => id.startsWith(`${digest}-`) && !isFinal(state));
  return begun?.id ?? `${digest}-${Date.now().toString(36)}`;
}

function isFinal(state: JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

function succeeded(job: Job): Job {
  if (job.state === JobState.SUCCEEDED) return job;
  if (job.state === JobState.CANCELLED) throw new CrucibleError('cancelled', `job ${job.id} was cancelled`);
  throw new CrucibleError(job.errorCode as ErrorCode, job.errorMessage);
}

function progress({ stage, done, total, passages }: Job): string {
  const share = total === 0n ? 0 : Number(done) / Number(total);
  const more = passages === 0n ? '' : `  ${passages} passages`;
  return `${stage.padEnd(9)} ${bar(share, 24)} ${done}/${total}${more}`;
}

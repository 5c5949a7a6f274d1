/** /v1/jobs: the jobs of the trainer, with the curves that they have drawn so far and draw on. */
import { toJson } from '@bufbuild/protobuf';
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { Hono } from 'hono';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type Job, type JobEvent, JobSpecSchema, JobState, type TrainerService } from '@crucible/protos/trainer/v1';
import type { Client } from '@crucible/rpc';
import type { GatewayContext, GatewayEnv } from './access.ts';
import { respondWithEvents, sequenceAfter } from './event-stream.ts';
import { pageOf } from './page.ts';

export interface JobRoutesDependencies {
  readonly trainer: Client<typeof TrainerService>;
  /** Ends streams when it is aborted. */
  readonly closing: AbortSignal;
  /** Who follows is sent away when the closing begins. */
  readonly leaving: AbortSignal;
}

/** Milliseconds for reading what a job has told so far. */
const historyDeadline = 30_000;
/** Milliseconds until a stream of events is asked for anew, below what servers allow. */
const watchDeadline = 3_600_000;
/** Points of a history in one answer. */
const mostPoints = 20_000;

export function createJobRoutes({ trainer, closing, leaving }: JobRoutesDependencies): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  const find = async (context: GatewayContext): Promise<Job> => {
    const { job } = await trainer.getJob({ jobId: context.req.param('id')! }, { signal: context.req.raw.signal });
    return job!;
  };

  app.get('/', async (context) => {
    const { limit, after } = pageOf(context, 500);
    const page = await trainer.listJobs({ pageSize: limit, pageToken: after }, { signal: context.req.raw.signal });
    const next = page.nextPageToken === '' ? null : page.nextPageToken;
    return context.json({ object: 'list', data: page.jobs.map(jobJson), after: next });
  });

  app.get('/:id', async (context) => context.json(jobJson(await find(context))));

  app.post('/:id/cancel', async (context) => {
    const { signal } = context.req.raw;
    try {
      const { job } = await trainer.cancelJob({ jobId: context.req.param('id') }, { signal });
      return context.json(jobJson(job!));
    } catch (reason) {
      const error = CrucibleError.from(reason);
      // It will not become possible by waiting.
      throw error.code === 'failed-precondition' ? new CrucibleError('conflict', error.message) : error;
    }
  });

  app.get('/:id/metrics', async (context) => {
    const job = await find(context);
    const from = sequenceAfter(context);
    const points: ProgressJson[] = [];
    let after = from;
    if (from < job.lastSequence) {
      const signal = AbortSignal.any([context.req.raw.signal, closing]);
      const events = trainer.watchJob({ jobId: job.id, afterSequence: from }, { signal, deadlineMs: historyDeadline });
      for await (const { event } of events) {
        after = event!.sequence;
        if (event!.event.case === 'progressed') points.push(progressJson(event!, event!.event.value));
        // Leaving the loop ends the call; what is to come is not waited for.
        if (after >= job.lastSequence || points.length >= mostPoints) break;
      }
    }
    return context.json({
      object: 'list',
      job: job.id,
      state: stateNames[job.state],
      data: points,
      after,
      has_more: after < job.lastSequence,
    });
  });

  app.get('/:id/events', async (context) => {
    const { id: jobId, lastSequence } = await find(context);
    const from = sequenceAfter(context);
    if (from > lastSequence)
      throw invalidInput(`after: ${from} is beyond the last event, ${lastSequence}`, { at: 'after' });
    return respondWithEvents(context, leaving, async function* (signal) {
      for (let after = from; ;) {
        try {
          for await (const { event } of trainer.watchJob(
            { jobId, afterSequence: after },
            { signal, deadlineMs: watchDeadline },
          )) {
            after = event!.sequence;
            yield { id: after, data: eventJson(event!) };
          }
          return;
        } catch (reason) {
          // Servers cut long streams now and then.
          if (CrucibleError.from(reason).code !== 'deadline-exceeded') throw reason;
        }
      }
    });
  });
  return app;
}

const stateNames: Readonly<Record<JobState, string>> = {
  [JobState.UNSPECIFIED]: 'unknown',
  [JobState.QUEUED]: 'queued',
  [JobState.RUNNING]: 'running',
  [JobState.SUCCEEDED]: 'succeeded',
  [JobState.FAILED]: 'failed',
  [JobState.CANCELLED]: 'cancelled',
};

/** The stage whose figures are the held-out report of a forge. */
const reportStage = 'report';

function jobJson(job: Job): object {
  const { id, spec, state, stage, step, steps, metrics, error, outputs, attempts, lastSequence } = job;
  return {
    id,
    object: 'job',
    kind: spec?.kind.case ?? 'unknown',
    name: spec?.kind.value?.name ?? null,
    spec: spec ? toJson(JobSpecSchema, spec, { useProtoFieldName: true }) : null,
    state: stateNames[state],
    stage,
    step,
    steps,
    progress: steps === 0 ? null : step / steps,
    figures: metrics,
    report: stage === reportStage ? metrics : null,
    error: error ? { code: error.code, message: error.message } : null,
    models: outputs.map(({ name, version }) => ({ name, version })),
    created: seconds(job.createdAt),
    started: seconds(job.startedAt),
    finished: seconds(job.finishedAt),
    attempts,
    last_event: lastSequence,
  };
}

type ProgressJson = ReturnType<typeof progressJson>;

type Progressed = Extract<JobEvent['event'], { case: 'progressed' }>['value'];

function progressJson({ sequence, occurredAt }: JobEvent, progressed: Progressed) {
  const { stage, step, steps, metrics, message } = progressed;
  return {
    sequence,
    time: iso(occurredAt),
    stage,
    step,
    steps,
    metrics,
    ...(message !== '' && { message }),
  };
}

function eventJson(event: JobEvent): object {
  const { sequence, occurredAt } = event;
  switch (event.event.case) {
    case 'progressed':
      return { type: 'progress', ...progressJson(event, event.event.value) };
    case 'stateChanged': {
      const { state, error, attempts } = event.event.value;
      const why = error ? { code: error.code, message: error.message } : null;
      return { type: 'state', sequence, time: iso(occurredAt), state: stateNames[state], error: why, attempts };
    }
    case 'published': {
      const { name = '', version = 0 } = event.event.value.model ?? {};
      return { type: 'published', sequence, time: iso(occurredAt), model: { name, version } };
    }
    case undefined:
      return { type: 'unknown', sequence, time: iso(occurredAt) };
  }
}

function iso(time: Timestamp | undefined): string | null {
  return time ? timestampDate(time).toISOString() : null;
}

function seconds(time: Timestamp | undefined): number | null {
  return time ? Math.floor(timestampDate(time).getTime() / 1000) : null;
}

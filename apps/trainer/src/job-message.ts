/** Jobs and their events in the words of crucible.trainer.v1. */
import { fromJson, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type JobEventSchema, type JobSchema, JobSpecSchema, JobState as WireState } from '@crucible/protos/trainer/v1';
import type { Job, JobEvent, JobState } from './job.ts';

const wireStates: Readonly<Record<JobState, WireState>> = {
  queued: WireState.QUEUED,
  running: WireState.RUNNING,
  succeeded: WireState.SUCCEEDED,
  failed: WireState.FAILED,
  cancelled: WireState.CANCELLED,
};

export function jobMessage(job: Job): MessageInitShape<typeof JobSchema> {
  return {
    id: job.id,
    spec: fromJson(JobSpecSchema, job.spec as JsonValue),
    state: wireStates[job.state],
    stage: job.stage,
    step: job.step,
    steps: job.steps,
    metrics: { ...job.metrics },
    outputs: job.outputs.map((model) => ({ ...model })),
    createdAt: timestamp(job.createdAt),
    attempts: job.attempts,
    lastSequence: job.lastSequence,
    ...(job.error && { error: job.error }),
    ...(job.startedAt !== undefined && { startedAt: timestamp(job.startedAt) }),
    ...(job.finishedAt !== undefined && { finishedAt: timestamp(job.finishedAt) }),
  };
}

export function eventMessage({ sequence, time, change }: JobEvent): MessageInitShape<typeof JobEventSchema> {
  const common = { sequence, occurredAt: timestamp(time) };
  switch (change.kind) {
    case 'state': {
      const { state, attempts, error } = change;
      const value = { state: wireStates[state], attempts, ...(error && { error }) };
      return { ...common, event: { case: 'stateChanged', value } };
    }
    case 'progress': {
      const { stage, step, steps, metrics, message = '' } = change;
      return {
        ...common,
        event: { case: 'progressed', value: { stage, step, steps, metrics: { ...metrics }, message } },
      };
    }
    case 'published':
      return { ...common, event: { case: 'published', value: { model: { ...change.model } } } };
  }
}

export function stateFromWire(state: WireState): JobState | undefined {
  return (Object.keys(wireStates) as JobState[]).find((name) => wireStates[name] === state);
}

function timestamp(iso: string): ReturnType<typeof timestampFromDate> {
  return timestampFromDate(new Date(iso));
}

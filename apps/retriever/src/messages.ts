/** What the engine knows, in the words of crucible.retriever.v1. */
import { fromJson, type JsonObject, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type DocumentSchema,
  type HitSchema,
  type JobSchema,
  JobSpecSchema,
  JobState as WireState,
  type PassageSchema,
} from '@crucible/protos/retriever/v1';
import type { DocumentRecord, Hit, Passage } from '@crucible/retrieval';
import type { Job, JobState } from './job-store.ts';

const states: Readonly<Record<JobState, WireState>> = {
  queued: WireState.QUEUED,
  running: WireState.RUNNING,
  succeeded: WireState.SUCCEEDED,
  failed: WireState.FAILED,
  cancelled: WireState.CANCELLED,
};

export function documentMessage(record: DocumentRecord): MessageInitShape<typeof DocumentSchema> {
  const { id, source, title, metadata, ingestedAt, digest } = record;
  const at = timestampFromDate(new Date(ingestedAt));
  return { id, source, title, metadata: metadata as JsonObject, ingestedAt: at, sha256: digest };
}

function passageMessage({ record, ...passage }: Passage): MessageInitShape<typeof PassageSchema> {
  const { ordinal, start, end, text, heading, page } = passage;
  return { documentId: record.id, ordinal, start, end, text, heading, page };
}

export function hitMessage(hit: Hit): MessageInitShape<typeof HitSchema> {
  return {
    passage: passageMessage(hit),
    document: documentMessage(hit.record),
    score: hit.score,
    lexicalScore: hit.lexicalScore,
    similarity: hit.similarity,
    highlights: hit.highlights.map((span) => ({ ...span })),
    before: hit.before.map(passageMessage),
    after: hit.after.map(passageMessage),
    alsoIn: [...hit.alsoIn],
    ...(hit.rerankScore !== undefined && { rerankScore: hit.rerankScore }),
  };
}

export function jobMessage({
  spec,
  state,
  createdAt,
  counts,
  failures,
  error,
  ...job
}: Job): MessageInitShape<typeof JobSchema> {
  const big = Object.fromEntries(
    Object.entries(counts).map(([name, value]: [string, number]) => [name, BigInt(value)]),
  );
  return {
    id: job.id,
    spec: fromJson(JobSpecSchema, spec as JsonValue),
    state: states[state],
    createdAt: timestampFromDate(new Date(createdAt)),
    stage: job.stage,
    attempts: job.attempts,
    ...big,
    failures: failures.map((failure) => ({ ...failure })),
    ...(error && { errorCode: error.code, errorMessage: error.message }),
  };
}

/** Runs as the HTTP API spells them. Steps are those of libs/prompting, as they are. */
import { create } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { stepFromMessage } from '@crucible/actor';
import type { Step } from '@crucible/prompting';
import { type RunInfo, RunState, StepSchema } from '@crucible/protos/actor/v1';
import type { Approval, End } from './live-runs.ts';

const stateNames: Readonly<Record<RunState, string>> = {
  [RunState.UNSPECIFIED]: 'unknown',
  [RunState.RUNNING]: 'running',
  [RunState.WAITING]: 'waiting',
  [RunState.INTERRUPTED]: 'interrupted',
  [RunState.ENDED]: 'ended',
};

type AnswerStep = Extract<Step, { kind: 'answer' }>;

export function approvalJson({
  callId,
  tool,
  description,
  input,
  expiresAt,
}: Pick<Approval, 'callId' | 'tool' | 'description' | 'input' | 'expiresAt'>): object {
  return { id: callId, tool, description, input, expires: expiresAt.toISOString() };
}

export function outcomeJson(answer: AnswerStep, end: End): object {
  const { status, text, key, citations, confidence, forced, partial } = answer;
  return {
    status,
    text,
    ...(key !== undefined && { key }),
    ...(citations && { citations }),
    ...(confidence !== undefined && { confidence }),
    ...(forced && { forced }),
    partial,
    reason: end.reason,
  };
}

export function runJson(info: RunInfo, id: string): object {
  const answer = info.answer && stepOf('answer', info.answer);
  const end = info.end && stepOf('end', info.end);
  return {
    id,
    object: 'run',
    state: stateNames[info.state],
    strategy: info.strategy,
    model: info.model,
    model_version: info.modelVersion,
    collection: info.collection ?? null,
    question: info.question,
    created: info.createdAt ? Math.floor(timestampDate(info.createdAt).getTime() / 1000) : null,
    ended: info.endedAt ? Math.floor(timestampDate(info.endedAt).getTime() / 1000) : null,
    last_step: info.lastStep,
    approvals: info.approvalRequests.map(({ callId, tool, description, input = {}, expiresAt }) =>
      approvalJson({
        callId,
        tool,
        description,
        input,
        expiresAt: expiresAt ? timestampDate(expiresAt) : new Date(0),
      }),
    ),
    outcome: answer && end ? outcomeJson(answer, end) : null,
    usage: end ? usageJson(end.usage) : null,
    error: end?.error ?? null,
  };
}

/** As everywhere in the API; those of steps are as steps are. */
function usageJson({ calls, promptTokens, completionTokens, estimated }: End['usage']): object {
  return {
    calls,
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    estimated,
  };
}

function stepOf<K extends 'answer' | 'end'>(kind: K, value: NonNullable<RunInfo[K]>): Extract<Step, { kind: K }> {
  const message = create(StepSchema, { number: 1, body: { case: kind, value } as never });
  return stepFromMessage(message) as Extract<Step, { kind: K }>;
}

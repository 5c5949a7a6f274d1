/** What the actor knows, in the words of crucible.actor.v1. */
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { messageFromStep } from '@crucible/actor';
import { invalidInput } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import {
  type AnswerSchema,
  type ApprovalRequestSchema,
  type EndSchema,
  type ListToolsResponseSchema,
  type RunInfoSchema,
  RunState as WireState,
} from '@crucible/protos/actor/v1';
import type { Asked } from './journal.ts';
import { type RunRecord, type RunState, stateOf } from './run-store.ts';
import type { OfferedTool } from './tool-sources.ts';

const states: Readonly<Record<RunState, WireState>> = {
  running: WireState.RUNNING,
  waiting: WireState.WAITING,
  interrupted: WireState.INTERRUPTED,
  ended: WireState.ENDED,
};

export function runMessage(record: RunRecord): MessageInitShape<typeof RunInfoSchema> {
  const { runId, strategy, model, modelVersion, question, createdAt, lastStep, asked } = record;
  const { answer, end, endedAt, collection } = record;
  return {
    runId,
    strategy,
    model,
    modelVersion,
    question,
    lastStep,
    state: states[stateOf(record)],
    createdAt: timestampFromMs(createdAt),
    approvalRequests: Array.from(asked.values(), approvalMessage),
    ...(answer && { answer: bodyOf(answer) as MessageInitShape<typeof AnswerSchema> }),
    ...(end && { end: bodyOf(end) as MessageInitShape<typeof EndSchema> }),
    ...(collection !== undefined && { collection }),
    ...(endedAt !== undefined && { endedAt: timestampFromMs(endedAt) }),
  };
}

export function approvalMessage({
  callId,
  tool,
  description,
  input,
  expiresAt,
}: Asked): MessageInitShape<typeof ApprovalRequestSchema> {
  return { callId, tool, description, input: input as JsonObject, expiresAt: timestampFromMs(expiresAt) };
}

export function toolMessage({
  tool,
  source,
  needsApproval,
}: OfferedTool): NonNullable<MessageInitShape<typeof ListToolsResponseSchema>['tools']>[number] {
  const { name, description, parameters } = tool;
  return { name, description, parameters: parameters as JsonObject, needsApproval, source };
}

/** The fields of an answer or an end. */
function bodyOf(step: Step) {
  return messageFromStep(step).body?.value;
}

/** States that are asked for; all where none is. */
export function stateFilter(wanted: readonly WireState[]): (record: RunRecord) => boolean {
  const unknown = wanted.find((state) => !Object.values(states).includes(state));
  if (unknown !== undefined)
    throw invalidInput(`states: ${unknown} is given; ${Object.values(states).join(', ')} are allowed`, {
      at: 'states',
    });
  return (record) => wanted.length === 0 || wanted.includes(states[stateOf(record)]);
}

/**
 * Steps of a run as messages and back, without loss: what a caller far away sees is what the strategy yielded. Only an
 * empty list comes back as none, and a lone half of a surrogate pair as U+FFFD.
 */
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { CrucibleError, type ErrorCode, errorCodes } from '@crucible/foundation';
import type { Citation, CodeResult, EndReason, Passage, Step, StepBody } from '@crucible/prompting';
import {
  type Answer,
  AnswerStatus,
  type Citation as WireCitation,
  type CitationSchema,
  type End,
  EndReason as WireEndReason,
  Finish,
  Forced,
  NoticeKind,
  type Passage as WirePassage,
  type PassageSchema,
  ProgramEnd,
  type Step as WireStep,
  type StepSchema,
} from '@crucible/protos/actor/v1';
import { chatFromMessage, messageFromChat, plainToolCall } from './chat-message.ts';
import { enumPairs } from './enum-pairs.ts';

type BodyOf<K extends StepBody['kind']> = Extract<StepBody, { readonly kind: K }>;
type WireBody = NonNullable<MessageInitShape<typeof StepSchema>['body']>;

const finishes = enumPairs<BodyOf<'completion'>['finish'], Finish>({
  stop: Finish.STOP,
  length: Finish.LENGTH,
  'tool-calls': Finish.TOOL_CALLS,
  refused: Finish.REFUSED,
  cut: Finish.CUT,
});

const programEnds = enumPairs<CodeResult['ended'], ProgramEnd>({
  finished: ProgramEnd.FINISHED,
  failed: ProgramEnd.FAILED,
  timeout: ProgramEnd.TIMEOUT,
  memory: ProgramEnd.MEMORY,
  output: ProgramEnd.OUTPUT,
});

const notices = enumPairs<BodyOf<'notice'>['what'], NoticeKind>({
  'malformed-action': NoticeKind.MALFORMED_ACTION,
  'unknown-tool': NoticeKind.UNKNOWN_TOOL,
  loop: NoticeKind.LOOP,
  'observation-dropped': NoticeKind.OBSERVATION_DROPPED,
  'bad-citation': NoticeKind.BAD_CITATION,
  'sample-failed': NoticeKind.SAMPLE_FAILED,
});

const statuses = enumPairs<BodyOf<'answer'>['status'], AnswerStatus>({
  answered: AnswerStatus.ANSWERED,
  'not-found': AnswerStatus.NOT_FOUND,
  none: AnswerStatus.NONE,
});

const forces = enumPairs<NonNullable<BodyOf<'answer'>['forced']>, Forced>({
  'step-limit': Forced.STEP_LIMIT,
  loop: Forced.LOOP,
  context: Forced.CONTEXT,
  'no-action': Forced.NO_ACTION,
});

const endReasons = enumPairs<EndReason, WireEndReason>({
  finished: WireEndReason.FINISHED,
  steps: WireEndReason.STEPS,
  time: WireEndReason.TIME,
  tokens: WireEndReason.TOKENS,
  context: WireEndReason.CONTEXT,
  cancelled: WireEndReason.CANCELLED,
  error: WireEndReason.ERROR,
});

export function messageFromStep(step: Step): MessageInitShape<typeof StepSchema> {
  return {
    number: step.number,
    elapsedMs: step.elapsedMs,
    strategy: step.strategy,
    sample: [...(step.sample ?? [])],
    body: bodyMessage(step),
  };
}

function bodyMessage(step: StepBody): WireBody {
  switch (step.kind) {
    case 'prompt': {
      const { call, purpose, messages, maxTokens } = step;
      return { case: 'prompt', value: { call, purpose, messages: messages.map(messageFromChat), maxTokens } };
    }
    case 'text': {
      const { call, answer, text } = step;
      return { case: 'text', value: { call, answer, text } };
    }
    case 'completion': {
      const { call, answer, text, finish, toolCalls = [] } = step;
      return {
        case: 'completion',
        value: { call, answer, text, finish: finishes.wire(finish), toolCalls: [...toolCalls] },
      };
    }
    case 'examples':
      return { case: 'examples', value: { chosen: [...step.chosen], leftOut: step.leftOut } };
    case 'thought':
      return { case: 'thought', value: { step: step.step, text: step.text } };
    case 'action': {
      const { tool, input, callId } = step;
      return {
        case: 'action',
        value: { step: step.step, tool, input: input as JsonObject, ...(callId !== undefined && { callId }) },
      };
    }
    case 'observation': {
      const { text, omitted, failed, passages = [], pictures = [] } = step;
      return {
        case: 'observation',
        value: {
          step: step.step,
          text,
          omitted,
          failed,
          passages: passages.map(passageMessage),
          pictures: [...pictures],
        },
      };
    }
    case 'program':
      return { case: 'program', value: { attempt: step.attempt, program: step.program } };
    case 'program-result': {
      const { attempt, ended, stdout, stderr, value } = step;
      return {
        case: 'programResult',
        value: { attempt, ended: programEnds.wire(ended), stdout, stderr, ...(value !== undefined && { value }) },
      };
    }
    case 'passages':
      return { case: 'passages', value: { query: step.query, passages: step.passages.map(passageMessage) } };
    case 'vote':
      return { case: 'vote', value: { votes: [...step.votes], invalid: step.invalid, tied: step.tied } };
    case 'fall-back':
      return { case: 'fallBack', value: { to: step.to, reason: step.reason } };
    case 'notice':
      return { case: 'notice', value: { what: notices.wire(step.what), text: step.text } };
    case 'answer': {
      const { status, text, key, partial, citations = [], confidence, forced } = step;
      return {
        case: 'answer',
        value: {
          status: statuses.wire(status),
          text,
          partial,
          citations: citations.map(citationMessage),
          ...(key !== undefined && { key }),
          ...(confidence !== undefined && { confidence }),
          ...(forced !== undefined && { forced: forces.wire(forced) }),
        },
      };
    }
    case 'end': {
      const { reason, usage, error } = step;
      const { calls, promptTokens, completionTokens, estimated } = usage;
      return {
        case: 'end',
        value: {
          reason: endReasons.wire(reason),
          // Servers of others count the tokens; what they say may be nonsense.
          usage: { calls, promptTokens: uint32(promptTokens), completionTokens: uint32(completionTokens), estimated },
          ...(error && { error }),
        },
      };
    }
  }
}

/** Throws `invalid-input` where the message is no step that we know. */
export function stepFromMessage(message: WireStep): Step {
  const { number, elapsedMs, strategy, sample } = message;
  return { ...bodyOf(message), number, elapsedMs, strategy, ...(sample.length > 0 && { sample: [...sample] }) };
}

function bodyOf({ body, number }: WireStep): StepBody {
  const at = `step ${number}`;
  switch (body.case) {
    case 'prompt': {
      const { call, purpose, messages, maxTokens } = body.value;
      return {
        kind: 'prompt',
        call,
        purpose,
        messages: messages.map((message, i) => chatFromMessage(message, `${at}.messages[${i}]`)),
        maxTokens,
      };
    }
    case 'text': {
      const { call, answer, text } = body.value;
      return { kind: 'text', call, answer, text };
    }
    case 'completion': {
      const { call, answer, text, finish, toolCalls } = body.value;
      return {
        kind: 'completion',
        call,
        answer,
        text,
        finish: finishes.name(finish, `${at}.finish`),
        ...(toolCalls.length > 0 && { toolCalls: toolCalls.map(plainToolCall) }),
      };
    }
    case 'examples':
      return { kind: 'examples', chosen: [...body.value.chosen], leftOut: body.value.leftOut };
    case 'thought':
      return { kind: 'thought', step: body.value.step, text: body.value.text };
    case 'action': {
      const { step, tool, input = {}, callId } = body.value;
      return { kind: 'action', step, tool, input, ...(callId !== undefined && { callId }) };
    }
    case 'observation': {
      const { step, text, omitted, failed, passages, pictures } = body.value;
      return {
        kind: 'observation',
        step,
        text,
        omitted,
        failed,
        ...(passages.length > 0 && { passages: passages.map(passageFrom) }),
        ...(pictures.length > 0 && {
          pictures: pictures.map(({ id, width, height, bytes }) => ({ id, width, height, bytes })),
        }),
      };
    }
    case 'program':
      return { kind: 'program', attempt: body.value.attempt, program: body.value.program };
    case 'programResult': {
      const { attempt, ended, stdout, stderr, value } = body.value;
      return {
        kind: 'program-result',
        attempt,
        ended: programEnds.name(ended, `${at}.ended`),
        stdout,
        stderr,
        ...(value !== undefined && { value }),
      };
    }
    case 'passages':
      return { kind: 'passages', query: body.value.query, passages: body.value.passages.map(passageFrom) };
    case 'vote': {
      const { votes, invalid, tied } = body.value;
      return { kind: 'vote', votes: votes.map(({ key, count }) => ({ key, count })), invalid, tied };
    }
    case 'fallBack':
      return { kind: 'fall-back', to: body.value.to, reason: body.value.reason };
    case 'notice':
      return { kind: 'notice', what: notices.name(body.value.what, `${at}.what`), text: body.value.text };
    case 'answer':
      return answerFrom(body.value, at);
    case 'end':
      return endFrom(body.value, at);
    case undefined:
      throw new CrucibleError('invalid-input', `${at}: it is of a kind that is not known here`, { at });
  }
}

function answerFrom(answer: Answer, at: string): BodyOf<'answer'> {
  const { status, text, key, partial, citations, confidence, forced } = answer;
  return {
    kind: 'answer',
    partial,
    status: statuses.name(status, `${at}.status`),
    text,
    ...(key !== undefined && { key }),
    ...(citations.length > 0 && { citations: citations.map((citation) => citationFrom(citation)) }),
    ...(confidence !== undefined && { confidence }),
    ...(forced !== Forced.UNSPECIFIED && { forced: forces.name(forced, `${at}.forced`) }),
  };
}

function endFrom({ reason, usage, error }: End, at: string): BodyOf<'end'> {
  const { calls = 0, promptTokens = 0, completionTokens = 0, estimated = false } = usage ?? {};
  return {
    kind: 'end',
    reason: endReasons.name(reason, `${at}.reason`),
    usage: { calls, promptTokens, completionTokens, estimated },
    ...(error && {
      error: {
        // A code of a newer server is a bug to us.
        code: errorCodes.find((code) => code === error.code) ?? ('internal' satisfies ErrorCode),
        message: error.message,
        ...(error.at !== undefined && { at: error.at }),
      },
    }),
  };
}

function passageMessage({ document, text, start, end, score }: Passage): MessageInitShape<typeof PassageSchema> {
  return { documentId: document.id, title: document.title, text, start, end, score };
}

function passageFrom({ documentId, title, text, start, end, score }: WirePassage): Passage {
  return { document: { id: documentId, title }, text, start, end, score };
}

function citationMessage({ number, passage, supported }: Citation): MessageInitShape<typeof CitationSchema> {
  return { number, passage: passageMessage(passage), supported };
}

function citationFrom({ number, passage, supported }: WireCitation): Citation {
  const empty: Passage = { document: { id: '', title: '' }, text: '', start: 0, end: 0, score: 0 };
  return { number, passage: passage ? passageFrom(passage) : empty, supported };
}

function uint32(value: number): number {
  return Math.min(2 ** 32 - 1, Math.max(0, Math.round(value) || 0));
}

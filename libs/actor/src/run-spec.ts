/** What a run is to do, as callers write it here; on the wire it is StartRun of actor.proto, which documents the fields. */
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { invalidInput } from '@crucible/foundation';
import type {
  AnswerKind,
  ChatMessage,
  Example,
  ExampleChoice,
  Limits,
  ReactOptions,
  Sampling,
  Wording,
} from '@crucible/prompting';
import {
  Actions,
  AnswerKind as WireAnswerKind,
  type StartRun,
  type StartRunSchema,
  Wording as WireWording,
} from '@crucible/protos/actor/v1';
import { chatFromMessage, messageFromChat } from './chat-message.ts';
import { enumPairs } from './enum-pairs.ts';

export interface KnowledgeSpec {
  /** Of the retriever; '' is `default`. */
  readonly collection: string;
  /** The only documents that are searched. Default: all. */
  readonly documents?: readonly string[];
  /** Conditions on the metadata. Default: none. */
  readonly filter?: JsonObject;
}

export interface RunSpec {
  /** Default: one is made up. */
  readonly runId?: string;
  readonly strategy: string;
  /** Default: the newest of the policy. */
  readonly model?: string;
  readonly question: string;
  readonly history?: readonly ChatMessage[];
  readonly system?: string;
  /** Default: text. */
  readonly answer?: AnswerKind;
  readonly examples?: readonly Example[];
  readonly choice?: ExampleChoice;
  /** Default: nothing is searched. */
  readonly knowledge?: KnowledgeSpec;
  /** Names of tools. Default: those that suit model and knowledge. */
  readonly tools?: readonly string[];
  readonly sampling?: Sampling;
  readonly samples?: number;
  readonly limits?: Limits;
  readonly react?: Pick<ReactOptions, 'actions' | 'maxSteps' | 'observationTokens'>;
  readonly wording?: Wording;
  /** The most passages of rag. */
  readonly ragPassages?: number;
  /** Whether every use of the browser takes a picture. Default false. */
  readonly pictures?: boolean;
}

const answerKinds = enumPairs<AnswerKind['kind'], WireAnswerKind>({
  text: WireAnswerKind.TEXT,
  number: WireAnswerKind.NUMBER,
  'yes-no': WireAnswerKind.YES_NO,
  date: WireAnswerKind.DATE,
  choice: WireAnswerKind.CHOICE,
});

const actions = enumPairs<NonNullable<ReactOptions['actions']>, Actions>({
  text: Actions.TEXT,
  native: Actions.NATIVE,
});

const wordings = enumPairs<Wording, WireWording>({ forged: WireWording.FORGED, general: WireWording.GENERAL });

export function startFromRunSpec(spec: RunSpec): MessageInitShape<typeof StartRunSchema> {
  const { answer, choice, knowledge, sampling, limits, react, wording } = spec;
  return {
    runId: spec.runId ?? '',
    strategy: spec.strategy,
    model: spec.model ?? '',
    question: spec.question,
    history: (spec.history ?? []).map(messageFromChat),
    system: spec.system ?? '',
    ...(answer && {
      answerKind: answerKinds.wire(answer.kind),
      ...(answer.kind === 'choice' && { choices: [...answer.choices] }),
    }),
    examples: [...(spec.examples ?? [])],
    ...(choice && { exampleChoice: { count: choice.count ?? 0, similar: choice.select === 'similar' } }),
    ...(knowledge && {
      knowledge: {
        collection: knowledge.collection,
        documentIds: [...(knowledge.documents ?? [])],
        ...(knowledge.filter && { filter: knowledge.filter }),
      },
    }),
    tools: [...(spec.tools ?? [])],
    ...(sampling && {
      sampling: {
        ...(sampling.temperature !== undefined && { temperature: sampling.temperature }),
        ...(sampling.topP !== undefined && { topP: sampling.topP }),
        seed: sampling.seed ?? 0,
        maxTokens: sampling.maxTokens ?? 0,
      },
    }),
    samples: spec.samples ?? 0,
    ...(limits && {
      limits: { steps: limits.steps ?? 0, timeMs: limits.timeMs ?? 0, tokens: limits.tokens ?? 0 },
    }),
    ...(react && {
      react: {
        ...(react.actions && { actions: actions.wire(react.actions) }),
        maxSteps: react.maxSteps ?? 0,
        observationTokens: react.observationTokens ?? 0,
      },
    }),
    ...(wording && { wording: wordings.wire(wording) }),
    ragPassages: spec.ragPassages ?? 0,
    pictures: spec.pictures ?? false,
  };
}

/** Throws `invalid-input` where a field stands for nothing; whether names exist and numbers are in range is for who runs it. */
export function runSpecFromMessage(start: StartRun): RunSpec {
  const { runId, strategy, model, question, history, system, examples, exampleChoice, knowledge } = start;
  const { tools, sampling, samples, limits, react, wording, ragPassages, pictures } = start;
  return {
    ...(runId !== '' && { runId }),
    strategy,
    ...(model !== '' && { model }),
    question,
    ...(history.length > 0 && { history: history.map((message, i) => chatFromMessage(message, `history[${i}]`)) }),
    ...(system !== '' && { system }),
    ...answerFrom(start),
    ...(examples.length > 0 && {
      examples: examples.map(({ question, answer, reasoning, program }) => ({
        question,
        answer,
        ...(reasoning !== '' && { reasoning }),
        ...(program !== '' && { program }),
      })),
    }),
    ...(exampleChoice && {
      choice: {
        ...whereNot0({ count: exampleChoice.count }),
        ...(exampleChoice.similar && { select: 'similar' as const }),
      },
    }),
    ...(knowledge && {
      knowledge: {
        collection: knowledge.collection,
        ...(knowledge.documentIds.length > 0 && { documents: knowledge.documentIds }),
        ...(knowledge.filter && { filter: knowledge.filter }),
      },
    }),
    ...(tools.length > 0 && { tools }),
    ...(sampling && {
      sampling: {
        ...(sampling.temperature !== undefined && { temperature: sampling.temperature }),
        ...(sampling.topP !== undefined && { topP: sampling.topP }),
        ...whereNot0({ seed: sampling.seed, maxTokens: sampling.maxTokens }),
      },
    }),
    ...whereNot0({ samples }),
    ...(limits && { limits: whereNot0({ steps: limits.steps, timeMs: limits.timeMs, tokens: limits.tokens }) }),
    ...(react && {
      react: {
        ...(react.actions !== Actions.UNSPECIFIED && { actions: actions.name(react.actions, 'react.actions') }),
        ...whereNot0({ maxSteps: react.maxSteps, observationTokens: react.observationTokens }),
      },
    }),
    ...(wording !== WireWording.UNSPECIFIED && { wording: wordings.name(wording, 'wording') }),
    ...whereNot0({ ragPassages }),
    ...(pictures && { pictures }),
  };
}

function answerFrom({ answerKind, choices }: StartRun): Pick<RunSpec, 'answer'> {
  const kind = answerKind === WireAnswerKind.UNSPECIFIED ? undefined : answerKinds.name(answerKind, 'answer_kind');
  if (kind === 'choice') return { answer: { kind, choices } };
  if (choices.length > 0) throw invalidInput('choices: they are for ANSWER_KIND_CHOICE alone', { at: 'choices' });
  return kind === undefined ? {} : { answer: { kind } };
}

/** 0 stands for the default. */
function whereNot0<N extends string>(fields: Readonly<Record<N, number>>): Partial<Record<N, number>> {
  return Object.fromEntries(Object.entries<number>(fields).filter(([, value]) => value !== 0)) as Partial<
    Record<N, number>
  >;
}

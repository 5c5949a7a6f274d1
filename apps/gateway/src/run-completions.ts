/** POST /v1/chat/completions with a strategy: a run of the actor, whose trace comes along. */
import { randomUUID } from 'node:crypto';
import { streamSSE } from 'hono/streaming';
import { CrucibleError } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import type { Logger } from '@crucible/service';
import type { GatewayContext } from './access.ts';
import { usageOf } from './answer.ts';
import type { ChatRequest } from './chat-request.ts';
import { pingSeconds } from './event-stream.ts';
import { errorBody } from './http-error.ts';
import type { End, LiveRun, LiveRuns } from './live-runs.ts';
import type { Metrics } from './metrics.ts';
import { assertMayRun, ownId } from './run-access.ts';
import { approvalJson, outcomeJson } from './run-json.ts';
import { type RunFields, runSpecOf } from './run-request.ts';

export interface RunDependencies {
  readonly runs: LiveRuns;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly closing: AbortSignal;
}

interface Begun {
  readonly run: LiveRun;
  /** As the caller knows it. */
  readonly id: string;
  readonly model: string;
  readonly created: number;
  readonly trace: boolean;
  /** Ends when nobody reads any more. */
  readonly signal: AbortSignal;
}

/** Answers whole or as a stream; a caller that leaves cancels the run. */
export async function respondByStrategy(
  context: GatewayContext,
  request: ChatRequest,
  fields: RunFields,
  dependencies: RunDependencies,
): Promise<Response> {
  const caller = context.get('caller');
  assertMayRun(caller, fields);
  const id = fields.fields.run_id ?? `run-${randomUUID()}`;
  const { runs, metrics, closing } = dependencies;
  const spec = runSpecOf(request, fields, ownId(caller, id));
  const run = runs.open(ownId(caller, id), spec, {
    signal: closing,
    onEnd: ({ reason, usage }) => {
      caller.spendTokens(usage.promptTokens + usage.completionTokens);
      metrics.run(fields.strategy, reason);
    },
  });
  const left = new AbortController();
  const cancel = (): void => run.cancel();
  const signal = AbortSignal.any([context.req.raw.signal, left.signal]);
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  const { model } = await run.started(signal).catch((reason: unknown) => {
    throw inWordsOfTheRequest(CrucibleError.from(reason));
  });
  const trace = fields.fields.trace ?? true;
  const begun = { run, id, model, trace, signal, created: Math.floor(Date.now() / 1000) };
  if (!request.stream) return context.json(await wholeAnswer(begun));
  return respondStreaming(context, request, begun, left, dependencies);
}

async function wholeAnswer({ run, id, model, trace, created, signal }: Begun): Promise<object> {
  const steps: Step[] = [];
  let answer: Extract<Step, { kind: 'answer' }> | undefined;
  let end: End | undefined;
  for await (const event of run.follow(0, signal)) {
    if (event.kind === 'approval') {
      // Whoever waits for the whole answer cannot be asked.
      run.decide(event.callId, false, 'nobody is there to allow it');
    }
    if (event.kind !== 'step') continue;
    // Of text that came in pieces, the completion has the whole.
    if (event.step.kind !== 'text') steps.push(event.step);
    if (event.step.kind === 'answer') answer = event.step;
    if (event.step.kind === 'end') end = event.step;
  }
  if (!answer || !end) throw new CrucibleError('unavailable', 'the actor broke the run off');
  throwErrorOf(end);
  const outcome = outcomeJson(answer, end);
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text,
          refusal: null,
          crucible: { run_id: id, outcome, ...(trace && { steps }) },
        },
        logprobs: null,
        finish_reason: finishOf(answer),
      },
    ],
    usage: usageOf(end.usage.promptTokens, end.usage.completionTokens),
  };
}

function respondStreaming(
  context: GatewayContext,
  { includeUsage }: ChatRequest,
  { run, id, model, trace, created, signal }: Begun,
  left: AbortController,
  { log, closing }: RunDependencies,
): Response {
  const chunk = (choices: readonly object[], more: object = {}): string =>
    JSON.stringify({
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model,
      choices,
      ...(includeUsage && { usage: null }),
      ...more,
    });
  const choice = (delta: object, finish: string | null = null): readonly object[] => [
    { index: 0, delta, logprobs: null, finish_reason: finish },
  ];
  return streamSSE(context, async (stream) => {
    stream.onAbort(() => left.abort());
    const ping = setInterval(() => void stream.write(': ping\n\n'), pingSeconds * 1000);
    const answering = new AnswerText();
    let end: End | undefined;
    try {
      await stream.writeSSE({ data: chunk(choice({ role: 'assistant', content: '' })) });
      for await (const event of run.follow(0, signal)) {
        if (event.kind === 'started') continue;
        if (event.kind === 'approval') {
          const approval = approvalJson(event);
          await stream.writeSSE({ data: chunk([], { crucible: { run_id: id, approval } }) });
          continue;
        }
        const { step } = event;
        if (trace) await stream.writeSSE({ data: chunk([], { crucible: { run_id: id, step } }) });
        const text = answering.push(step);
        if (text !== '') await stream.writeSSE({ data: chunk(choice({ content: text })) });
        if (step.kind === 'answer') await stream.writeSSE({ data: chunk(choice({}, finishOf(step))) });
        if (step.kind === 'end') end = step;
      }
      if (!end) throw new CrucibleError('unavailable', 'the actor broke the run off');
      throwErrorOf(end);
      if (includeUsage) {
        const usage = usageOf(end.usage.promptTokens, end.usage.completionTokens);
        await stream.writeSSE({ data: chunk([], { usage }) });
      }
      await stream.writeSSE({ data: '[DONE]' });
    } catch (reason) {
      const error = CrucibleError.from(closing.aborted ? closing.reason : reason);
      // The status has been sent; clients look for an error in the stream.
      if (!stream.aborted) await stream.writeSSE({ data: JSON.stringify(errorBody(error)) });
      if (error.code !== 'cancelled') log.warn({ id, code: error.code, error: error.message }, 'a streamed run failed');
    } finally {
      clearInterval(ping);
    }
  });
}

/**
 * The text of the answer as it becomes certain: of the strategy `direct` while the model writes, of others, where
 * the answer is read from what the model wrote, when it has been read.
 */
class AnswerText {
  #sent = '';
  /** White space that is the answer's only if more follows. */
  #held = '';

  push(step: Step): string {
    if (step.kind === 'text' && step.strategy === 'direct' && step.sample === undefined) {
      const text = this.#held + step.text;
      const shown = this.#sent === '' ? text.trimStart() : text;
      const certain = shown.trimEnd();
      this.#held = shown.slice(certain.length);
      this.#sent += certain;
      return certain;
    }
    if (step.kind !== 'answer' || !step.text.startsWith(this.#sent)) return '';
    const rest = step.text.slice(this.#sent.length);
    this.#sent = step.text;
    return rest;
  }
}

/** The actor names the fields of its own request. */
const fieldNames: readonly (readonly [actors: RegExp, ours: string])[] = [
  [/^knowledge\.document_ids/, 'crucible.documents'],
  [/^knowledge(?:\.collection)?/, 'crucible.collection'],
  [/^react\.max_steps$/, 'crucible.actions'],
  [/^(?=(?:tools|samples|examples|limits|choices)\b)/, 'crucible.'],
];

function inWordsOfTheRequest(error: CrucibleError): CrucibleError {
  const { code, message, at = '' } = error;
  const [pattern, name] = fieldNames.find(([pattern]) => pattern.test(at)) ?? [];
  if (pattern === undefined) return error;
  const ours = at.replace(pattern, name!);
  const words = message.startsWith(`${at}:`) ? ours + message.slice(at.length) : message;
  return new CrucibleError(code, words, { at: ours, cause: error });
}

function finishOf({ partial }: Extract<Step, { kind: 'answer' }>): string {
  return partial ? 'length' : 'stop';
}

function throwErrorOf({ reason, error }: End): void {
  if (error) throw new CrucibleError(error.code, error.message, error.at === undefined ? {} : { at: error.at });
  if (reason === 'cancelled') throw new CrucibleError('cancelled', 'the run was cancelled');
}

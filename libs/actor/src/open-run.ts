/** A run of the actor as its caller sees it: an async iterable of what happens, and a way to answer. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Step } from '@crucible/prompting';
import type { ActorService, RunRequestSchema } from '@crucible/protos/actor/v1';
import type { CallOptions, Client } from '@crucible/rpc';
import { type RunSpec, startFromRunSpec } from './run-spec.ts';
import { stepFromMessage } from './step-message.ts';

export type RunStart =
  | RunSpec
  /** Goes on with a run, with the steps after this one (default: all). */
  | { readonly resume: string; readonly afterStep?: number };

export type RunEvent =
  | {
      readonly kind: 'started';
      readonly runId: string;
      readonly model: string;
      /** 0: the model is not the policy's. */
      readonly modelVersion: number;
    }
  | { readonly kind: 'step'; readonly step: Step }
  | {
      readonly kind: 'approval';
      readonly callId: string;
      readonly tool: string;
      readonly description: string;
      readonly input: Readonly<Record<string, unknown>>;
      readonly expiresAt: Date;
    };

export type Decision = { readonly approved: true } | { readonly approved: false; readonly reason?: string };

/**
 * Begins when the first event is asked for. Leaving the loop interrupts the run: its work stops, and it can be resumed.
 * Errors are CrucibleErrors; whatever becomes of the run itself is its last step, an `end`.
 */
export interface ActorRun extends AsyncIterable<RunEvent> {
  /** Answers an approval. */
  readonly decide: (callId: string, decision: Decision) => void;
  /** Ends the run; its `answer` and `end` still come. */
  readonly cancel: () => void;
}

export interface OpenRunOptions extends Omit<CallOptions, 'deadlineMs'> {
  /** For the whole stream, the waiting for approvals included. Default 24 hours; the limits of the run end it before. */
  readonly deadlineMs?: number;
}

type Request = MessageInitShape<typeof RunRequestSchema>;

const dayMs = 24 * 60 * 60_000;

export function openRun(
  actor: Pick<Client<typeof ActorService>, 'run'>,
  start: RunStart,
  { deadlineMs = dayMs, ...options }: OpenRunOptions = {},
): ActorRun {
  const requests = new RequestQueue();
  requests.push({
    request:
      'resume' in start
        ? { case: 'resume', value: { runId: start.resume, afterStep: start.afterStep ?? 0 } }
        : { case: 'start', value: startFromRunSpec(start) },
  });
  return {
    decide: (callId, decision) => {
      const reason = decision.approved ? '' : (decision.reason ?? '');
      requests.push({ request: { case: 'approval', value: { callId, approved: decision.approved, reason } } });
    },
    cancel: () => requests.push({ request: { case: 'cancel', value: {} } }),
    async *[Symbol.asyncIterator]() {
      for await (const { event } of actor.run(requests, { ...options, deadlineMs })) {
        switch (event.case) {
          case 'started': {
            const { runId, model, modelVersion } = event.value;
            yield { kind: 'started', runId, model, modelVersion };
            break;
          }
          case 'step':
            yield { kind: 'step', step: stepFromMessage(event.value) };
            break;
          case 'approvalRequest': {
            const { callId, tool, description, input = {}, expiresAt } = event.value;
            const expires = expiresAt ? timestampDate(expiresAt) : new Date(0);
            yield { kind: 'approval', callId, tool, description, input, expiresAt: expires };
            break;
          }
          case undefined:
            // Of a newer server; there is nothing to do about it.
            break;
        }
      }
    },
  };
}

/** Requests as they come; the call ends the waiting for more. */
class RequestQueue implements AsyncIterable<Request> {
  readonly #waiting: Request[] = [];
  #wake: (() => void) | undefined;

  push(request: Request): void {
    this.#waiting.push(request);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Request, void, undefined> {
    for (;;) {
      while (this.#waiting.length > 0) yield this.#waiting.shift()!;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

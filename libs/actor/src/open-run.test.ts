import { describe, expect, it } from 'vitest';
import { CrucibleError } from '@crucible/foundation';
import { ActorService, AnswerStatus, EndReason, type RunRequest } from '@crucible/protos/actor/v1';
import { createClient, createServer, implementService } from '@crucible/rpc';
import { type ActorRun, openRun, type RunEvent } from './open-run.ts';

const unused = (): never => {
  throw new CrucibleError('unimplemented', 'no part of this test');
};

/** A server that writes down what it is asked and answers by a script. */
async function serve(
  script: (requests: AsyncIterator<RunRequest>, signal: AbortSignal) => AsyncIterable<object>,
): Promise<{ readonly target: string } & AsyncDisposable> {
  const service = implementService(ActorService, {
    run: (requests, { signal }) => script(requests[Symbol.asyncIterator](), signal),
    getRun: unused,
    getPicture: unused,
    listRuns: unused,
    listTools: unused,
  });
  return createServer({ port: 0, services: [service] });
}

async function next(requests: AsyncIterator<RunRequest>): Promise<RunRequest['request']> {
  return ((await requests.next()) as IteratorYieldResult<RunRequest>).value.request;
}

describe('openRun()', () => {
  it('tells what happens, and carries decisions and the end back', async () => {
    const asked: RunRequest['request'][] = [];
    await using server = await serve(async function* (requests) {
      asked.push(await next(requests));
      yield { event: { case: 'started', value: { runId: 'r', model: 'chat', modelVersion: 3 } } };
      const input = { to: 'Ada' };
      const expiresAt = { seconds: 5n, nanos: 0 };
      yield { event: { case: 'approvalRequest', value: { callId: 'c1', tool: 'pay', input, expiresAt } } };
      asked.push(await next(requests));
      asked.push(await next(requests));
      const answer = { status: AnswerStatus.NONE };
      yield {
        event: { case: 'step', value: { number: 1, strategy: 'react', body: { case: 'answer', value: answer } } },
      };
      const end = { reason: EndReason.CANCELLED };
      yield { event: { case: 'step', value: { number: 2, strategy: 'react', body: { case: 'end', value: end } } } };
    });
    using client = createClient(ActorService, server.target);
    const events: RunEvent[] = [];
    const run: ActorRun = openRun(client, { strategy: 'react', question: 'Who?' });
    for await (const event of run) {
      events.push(event);
      if (event.kind !== 'approval') continue;
      run.decide(event.callId, { approved: false, reason: 'too much' });
      run.cancel();
    }
    expect(asked).toMatchObject([
      { case: 'start', value: { strategy: 'react', question: 'Who?' } },
      { case: 'approval', value: { callId: 'c1', approved: false, reason: 'too much' } },
      { case: 'cancel' },
    ]);
    expect(events).toStrictEqual([
      { kind: 'started', runId: 'r', model: 'chat', modelVersion: 3 },
      { kind: 'approval', callId: 'c1', tool: 'pay', description: '', input: { to: 'Ada' }, expiresAt: new Date(5000) },
      {
        kind: 'step',
        step: { number: 1, elapsedMs: 0, strategy: 'react', kind: 'answer', partial: false, status: 'none', text: '' },
      },
      {
        kind: 'step',
        step: {
          number: 2,
          elapsedMs: 0,
          strategy: 'react',
          kind: 'end',
          reason: 'cancelled',
          usage: { calls: 0, promptTokens: 0, completionTokens: 0, estimated: false },
        },
      },
    ]);
  });

  it('goes on with a run, and its server learns when the loop is left', async () => {
    const first = Promise.withResolvers<RunRequest['request']>();
    const left = Promise.withResolvers<undefined>();
    await using server = await serve(async function* (requests, signal) {
      signal.addEventListener('abort', () => left.resolve(undefined));
      first.resolve(await next(requests));
      yield { event: { case: 'started', value: { runId: 'r' } } };
      await left.promise;
    });
    using client = createClient(ActorService, server.target);
    for await (const event of openRun(client, { resume: 'r', afterStep: 4 })) {
      expect(event).toMatchObject({ kind: 'started', runId: 'r' });
      break;
    }
    expect(await first.promise).toMatchObject({ case: 'resume', value: { runId: 'r', afterStep: 4 } });
    await left.promise;
  });
});

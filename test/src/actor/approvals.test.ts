/** Tools that somebody has to allow: over the stream, over interruptions, and over restarts of the service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActorRun, RunEvent } from '@crucible/actor';
import { RunState } from '@crucible/protos/actor/v1';
import { temporaryFolder } from '@crucible/testing';
import { acting, type Scripts, startActor, startScripts } from './testing/actor.ts';
import { type Purse, startPurse } from './testing/purse.ts';

const timeout = 60_000;
let scripts: Scripts;

beforeAll(async () => {
  scripts = await startScripts();
});
afterAll(() => scripts[Symbol.asyncDispose]());

function start(home: string, purse: Purse, more: object = {}) {
  return startActor({ home, scripts, config: { mcpServers: { purse: purse.spec }, approval: ['purse_*'], ...more } });
}

const pay = (to: string, amount: number) => `purse_pay[${JSON.stringify({ to, amount })}]`;
const react = { strategy: 'react', tools: ['purse_pay', 'purse_slowly'] } as const;

/** Answers every approval so. */
function deciding(decide: (event: Extract<RunEvent, { kind: 'approval' }>, run: ActorRun) => void) {
  return (event: RunEvent, run: ActorRun): void => {
    if (event.kind === 'approval') decide(event, run);
  };
}

describe('a tool that needs approval', () => {
  it('runs after a yes, with what was shown, and not after a no, of which the model is told', { timeout }, async () => {
    const home = temporaryFolder();
    const purse = await startPurse();
    await using actor = await start(home, purse);
    scripts.on('Pay them both.', acting(pay('Ada', 3), pay('Mallory', 9), 'Finish[done]'));
    const asked: object[] = [];
    const run = await actor.run(
      { ...react, question: 'Pay them both.' },
      deciding(({ callId, tool, input, description }, { decide }) => {
        asked.push({ tool, input, description });
        if (input['to'] === 'Ada') decide(callId, { approved: true });
        else decide(callId, { approved: false, reason: 'not her' });
        // Only the first answer counts.
        decide(callId, { approved: true });
      }),
    );
    expect(asked).toEqual([
      { tool: 'purse_pay', input: { to: 'Ada', amount: 3 }, description: 'does pay' },
      { tool: 'purse_pay', input: { to: 'Mallory', amount: 9 }, description: 'does pay' },
    ]);
    expect(purse.deeds).toEqual([{ to: 'Ada', amount: 3 }]);
    expect(run.of('observation').map(({ text, failed }) => [text, failed])).toEqual([
      [expect.stringContaining('paid Ada'), false],
      ['purse_pay failed: purse_pay was not run: the user refused it: not her', true],
    ]);
    expect(run.of('answer')).toMatchObject([{ status: 'answered', text: 'done' }]);
  });

  it('does not run when nobody answers in time', { timeout }, async () => {
    const home = temporaryFolder();
    const purse = await startPurse();
    await using actor = await start(home, purse, { approvalTimeoutMs: 1000 });
    scripts.on('Pay Grace.', acting(pay('Grace', 1), 'Finish[no]'));
    // The waiting is none of the run's own time.
    const run = await actor.run({ ...react, question: 'Pay Grace.', limits: { timeMs: 900 } });
    expect(run.of('observation')).toMatchObject([
      { failed: true, text: 'purse_pay failed: purse_pay was not run: nobody allowed it in time' },
    ]);
    expect(run.of('end')).toMatchObject([{ reason: 'finished' }]);
    expect(purse.deeds).toEqual([]);
  });

  it('is not allowed by an answer to another call, of this run or of another', { timeout }, async () => {
    const home = temporaryFolder();
    const purse = await startPurse();
    await using actor = await start(home, purse);
    scripts.on('Pay Joan 1.', acting(pay('Joan', 1), 'Finish[done]'));
    scripts.on('Pay Joan 2.', acting(pay('Joan', 2), 'Finish[done]'));
    const ids = new Map<string, { readonly callId: string; readonly decide: ActorRun['decide'] }>();
    const both = Promise.withResolvers<undefined>();
    const runs = ['Pay Joan 1.', 'Pay Joan 2.'].map((question) =>
      actor.run({ ...react, question }, (event, { decide }) => {
        if (event.kind !== 'approval') return;
        ids.set(question, { callId: event.callId, decide });
        if (ids.size === 2) both.resolve(undefined);
      }),
    );
    const failure = runs[0]!.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    await both.promise;
    const [one, two] = [ids.get('Pay Joan 1.')!, ids.get('Pay Joan 2.')!];
    expect(one.callId).not.toBe(two.callId);
    // To the first run, with the id of the second.
    one.decide(two.callId, { approved: true });
    expect(await failure).toMatchObject({ code: 'invalid-input', at: 'approval.call_id' });
    two.decide(two.callId, { approved: true });
    expect((await runs[1]!).of('answer')).toMatchObject([{ text: 'done' }]);
    expect(purse.deeds).toEqual([{ to: 'Joan', amount: 2 }]);
  });
});

describe('a run that waits for approval', () => {
  it('goes on after a restart of the service, and does nothing twice', { timeout }, async () => {
    const home = temporaryFolder();
    const purse = await startPurse();
    const question = 'Pay Alan, then Barbara.';
    scripts.on(question, acting(pay('Alan', 1), pay('Barbara', 2), 'Finish[both]'));
    const drawn = () => scripts.server.requests.filter(({ messages }) => JSON.stringify(messages).includes(question));
    let callId = '';
    let seen = 0;
    {
      await using actor = await start(home, purse);
      const waiting = Promise.withResolvers<undefined>();
      const broken = actor
        .run({ ...react, question, runId: 'wait' }, (event, { decide }) => {
          if (event.kind === 'step') seen = event.step.number;
          if (event.kind !== 'approval') return;
          if (event.input['to'] === 'Alan') decide(event.callId, { approved: true });
          else {
            ({ callId } = event);
            waiting.resolve(undefined);
          }
        })
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      await waiting.promise;
      await actor.service.close();
      expect(await broken).toMatchObject({ code: 'unavailable' });
    }
    expect(purse.deeds).toEqual([{ to: 'Alan', amount: 1 }]);
    expect(drawn()).toHaveLength(2);

    await using actor = await start(home, purse);
    const { run: info } = await actor.client.getRun({ runId: 'wait' });
    expect(info).toMatchObject({ state: RunState.WAITING, approvalRequests: [{ callId, tool: 'purse_pay' }] });
    const run = await actor.run({ resume: 'wait', afterStep: seen }, (event, { decide }) => {
      // Before it is asked for again.
      if (event.kind === 'started') decide(callId, { approved: true });
    });
    expect(purse.deeds).toEqual([
      { to: 'Alan', amount: 1 },
      { to: 'Barbara', amount: 2 },
    ]);
    expect(drawn()).toHaveLength(3);
    expect(run.steps[0]).toMatchObject({ kind: 'observation', step: 2, number: seen + 1 });
    expect(run.of('answer')).toMatchObject([{ status: 'answered', text: 'both' }]);

    // All of it, each step once, is there afterwards.
    const { run: ended, steps } = await actor.client.getRun({ runId: 'wait' });
    expect(ended).toMatchObject({ state: RunState.ENDED, approvalRequests: [], answer: { text: 'both' } });
    expect(steps.map(({ body }) => body.case)).toEqual([
      ...Array.from({ length: 2 }, () => ['prompt', 'completion', 'thought', 'action', 'observation']).flat(),
      ...['prompt', 'completion', 'thought', 'action', 'answer', 'end'],
    ]);
    expect(steps.map(({ number }) => number)).toEqual(
      [...new Set(steps.map(({ number }) => number))].sort((a, b) => a - b),
    );
    // Who comes late still hears the end.
    expect((await actor.run({ resume: 'wait', afterStep: ended!.lastStep - 1 })).steps).toMatchObject([
      { kind: 'end' },
    ]);
    expect(scripts.server.requests.length).toBeGreaterThan(0);
  });

  it('does not begin a tool again that was begun before', { timeout }, async () => {
    const home = temporaryFolder();
    const purse = await startPurse();
    const question = 'Pay slowly.';
    scripts.on(question, acting('purse_slowly[{"to": "Tony"}]', 'Finish[unknown]'));
    await using actor = await start(home, purse);
    const stop = new AbortController();
    const broken = actor.run({ ...react, question, runId: 'slow' }, (event, { decide }) => {
      if (event.kind === 'approval') decide(event.callId, { approved: true });
    });
    broken.catch(() => undefined);
    await expect.poll(() => purse.deeds, { timeout: 10_000 }).toEqual([['began', { to: 'Tony' }]]);
    // Whoever resumes sends the first listener away.
    const run = await actor.run({ resume: 'slow' });
    await expect(broken).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('somebody else listens now') as string,
    });
    stop.abort();
    expect(run.of('observation')).toMatchObject([
      {
        failed: true,
        text: expect.stringContaining('nobody knows whether it was done; it is not run again') as string,
      },
    ]);
    expect(run.of('answer')).toMatchObject([{ text: 'unknown' }]);
    expect(purse.deeds).toEqual([['began', { to: 'Tony' }]]);
  });
});

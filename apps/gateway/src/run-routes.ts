/** /v1/runs: runs of strategies, those under way and those that were; approvals, cancelling, going on. */
import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import { stepFromMessage } from '@crucible/actor';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import { type ActorService, type RunInfo, RunState } from '@crucible/protos/actor/v1';
import type { Client } from '@crucible/rpc';
import { z } from 'zod';
import type { Caller, GatewayContext, GatewayEnv } from './access.ts';
import { wrongBody } from './body-schema.ts';
import { respondWithEvents, sequenceAfter, type StreamedEvent } from './event-stream.ts';
import type { LiveRun } from './live-runs.ts';
import { pageOf } from './page.ts';
import { readJson } from './read-json.ts';
import { ownId, publicId } from './run-access.ts';
import type { RunDependencies } from './run-completions.ts';
import { approvalJson, runJson } from './run-json.ts';

export interface RunRoutesDependencies extends RunDependencies {
  readonly actor: Client<typeof ActorService>;
  /** Who follows is sent away when the closing begins: nothing is lost, and another gateway goes on. */
  readonly leaving: AbortSignal;
}

const mostListed = 500;
const defaultListed = 50;
/** Milliseconds between looks at a run that somebody else listens to. */
const lookInterval = 1000;
/** Milliseconds for a run that goes on to ask again. */
const askedDeadline = 10_000;
const reasonAllowed = 'a string of at most 1000 characters';

const approvalSchema = z.strictObject({
  approved: z.boolean('true or false'),
  reason: z.string(reasonAllowed).max(1000, reasonAllowed).optional(),
});

export function createRunRoutes(dependencies: RunRoutesDependencies): Hono<GatewayEnv> {
  const { actor, runs, metrics, closing, leaving } = dependencies;
  const app = new Hono<GatewayEnv>();

  const idsOf = (context: GatewayContext): { readonly caller: Caller; readonly id: string; readonly own: string } => {
    const caller = context.get('caller');
    const id = context.req.param('id')!;
    return { caller, id, own: ownId(caller, id) };
  };

  /** The run and its steps after one; pieces of text are not kept. */
  const read = async (
    own: string,
    afterStep: number,
    signal: AbortSignal,
  ): Promise<{ readonly info: RunInfo; readonly steps: readonly Step[] }> => {
    const steps: Step[] = [];
    for (let after = afterStep; ;) {
      const { run, steps: page, more } = await actor.getRun({ runId: own, afterStep: after }, { signal });
      steps.push(...page.map(stepFromMessage));
      if (!more || page.length === 0) return { info: run!, steps };
      after = page.at(-1)!.number;
    }
  };

  /** Goes on with a run that nobody listens to. */
  const resume = async (caller: Caller, own: string, info: RunInfo, signal: AbortSignal): Promise<LiveRun> => {
    if (info.state === RunState.ENDED) throw new CrucibleError('conflict', 'the run has ended', { at: 'id' });
    const run = runs.open(
      own,
      { resume: own },
      {
        signal: closing,
        onEnd: ({ reason, usage }) => {
          caller.spendTokens(usage.promptTokens + usage.completionTokens);
          metrics.run(info.strategy, reason);
        },
      },
    );
    await run.started(signal);
    return run;
  };

  app.get('/', async (context) => {
    const caller = context.get('caller');
    const { limit, after } = pageOf(context, mostListed);
    const wanted = limit === 0 ? defaultListed : limit;
    const data: object[] = [];
    let pageToken = after;
    do {
      // Those of other keys are left out, so that a page may need several of theirs.
      const page = await actor.listRuns(
        { pageSize: wanted - data.length, pageToken },
        { signal: context.req.raw.signal },
      );
      for (const info of page.runs) {
        const id = publicId(caller, info.runId);
        if (id !== undefined) data.push(runJson(info, id));
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== '' && data.length < wanted);
    return context.json({ object: 'list', data, after: pageToken === '' ? null : pageToken });
  });

  app.get('/:id', async (context) => {
    const { id, own } = idsOf(context);
    const { info, steps } = await read(own, 0, context.req.raw.signal);
    return context.json({ ...runJson(info, id), steps });
  });

  app.get('/:id/pictures/:picture', async (context) => {
    const { own } = idsOf(context);
    const pictureId = context.req.param('picture');
    const { content } = await actor.getPicture({ runId: own, pictureId }, { signal: context.req.raw.signal });
    // Whoever opens it by itself gets a picture, and nothing that runs.
    return context.body(Buffer.from(content), 200, {
      'content-type': 'image/png',
      'content-security-policy': "default-src 'none'; sandbox",
    });
  });

  app.get('/:id/events', async (context) => {
    const { id, own } = idsOf(context);
    const after = sequenceAfter(context);
    if (!runs.find(own)) await read(own, after, context.req.raw.signal);
    return respondWithEvents(context, leaving, (signal) => {
      const live = runs.find(own);
      return live ? followLive(live, id, after, signal) : followKept(own, id, after, signal);
    });
  });

  async function* followKept(
    own: string,
    id: string,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<StreamedEvent> {
    for (let after = from; ;) {
      const { info, steps } = await read(own, after, signal);
      for (const step of steps) yield { id: step.number, data: { run_id: id, step } };
      after = steps.at(-1)?.number ?? after;
      const isUnderWay = info.state === RunState.RUNNING || info.state === RunState.WAITING;
      if (!isUnderWay) return;
      await delay(lookInterval, undefined, { signal });
    }
  }

  app.post('/:id/approvals/:approval', async (context) => {
    const { caller, own } = idsOf(context);
    const parsed = approvalSchema.safeParse(await readJson(context), { reportInput: true });
    if (!parsed.success) throw wrongBody(parsed.error);
    const { approved, reason } = parsed.data;
    if (approved && reason !== undefined) throw invalidInput('reason: it is for a no alone', { at: 'reason' });
    const approval = context.req.param('approval');
    const { signal } = context.req.raw;
    const unknown = new CrucibleError('not-found', `no approval ${approval} is waited for`, { at: 'approval_id' });
    const live = runs.find(own);
    if (live) {
      if (!live.decide(approval, approved, reason)) throw unknown;
    } else {
      const { info } = await read(own, 0, signal);
      if (!info.approvalRequests.some(({ callId }) => callId === approval)) throw unknown;
      const run = await resume(caller, own, info, signal);
      const soon = AbortSignal.any([signal, AbortSignal.timeout(askedDeadline)]);
      for await (const event of run.follow(0, soon)) if (event.kind === 'approval' && event.callId === approval) break;
      if (!run.decide(approval, approved, reason)) throw unknown;
    }
    return context.json({ id: approval, object: 'approval', approved });
  });

  app.post('/:id/cancel', async (context) => {
    const { caller, id, own } = idsOf(context);
    const { signal } = context.req.raw;
    const run = runs.find(own) ?? (await resume(caller, own, (await read(own, 0, signal)).info, signal));
    run.cancel();
    return context.json({ id, object: 'run', cancelling: true });
  });

  app.post('/:id/resume', async (context) => {
    const { caller, id, own } = idsOf(context);
    const { signal } = context.req.raw;
    const { info } = await read(own, 0, signal);
    if (!runs.find(own)) await resume(caller, own, info, signal);
    return context.json(runJson((await read(own, 0, signal)).info, id));
  });
  return app;
}

async function* followLive(
  live: LiveRun,
  id: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  let last = after;
  for await (const event of live.follow(after, signal)) {
    if (event.kind === 'started') continue;
    if (event.kind === 'step') last = event.step.number;
    const data = event.kind === 'step' ? { step: event.step } : { approval: approvalJson(event) };
    yield { id: last, data: { run_id: id, ...data } };
  }
}

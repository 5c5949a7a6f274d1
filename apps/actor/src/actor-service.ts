/**
 * The actor: runs strategies over the policy, the retriever, the sandbox and tools, and tells every step to who listens
 * and, as events, to everybody.
 */
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { messageFromStep, runSpecFromMessage } from '@crucible/actor';
import type { Bus } from '@crucible/bus';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { strategyNames } from '@crucible/prompting';
import {
  ActorService,
  type RunRequest,
  type RunResponseSchema,
  StartRunSchema,
  type StepSchema,
} from '@crucible/protos/actor/v1';
import { PolicyService } from '@crucible/protos/policy/v1';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { SandboxService } from '@crucible/protos/sandbox/v1';
import { type CallContext, createClient, createServer, implementService, type ServerTls } from '@crucible/rpc';
import { type Logger, logCalls, type Service } from '@crucible/service';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ActorConfig } from './actor-config.ts';
import { approvalMessage, runMessage, stateFilter, toolMessage } from './messages.ts';
import { Models } from './models.ts';
import { type LiveRun, Runs } from './runs.ts';
import type { RunSession, SessionEvent } from './run-session.ts';
import { RunStore, type StoreLimits } from './run-store.ts';
import { StepEvents } from './step-events.ts';
import { ToolSources } from './tool-sources.ts';

export interface ActorDependencies {
  /** Undefined: nobody is told but who listens. */
  readonly bus: Bus | undefined;
  /** Holds the journals of the runs. */
  readonly home: string;
  readonly policyTarget: string;
  readonly retrieverTarget: string;
  readonly sandboxTarget: string;
  readonly config: ActorConfig;
  /** Runs at a time. Default 64. */
  readonly mostRuns?: number;
  readonly kept?: StoreLimits;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
}

const mostStartBytes = 2 ** 20;
const mostPage = 500;
const defaultPage = 50;
/** Of the steps in one answer, below the size limit of a message. */
const mostStepBytes = 3 * 2 ** 20;
const programDeadline = 600_000;

type Response = MessageInitShape<typeof RunResponseSchema>;

export async function createActorService(dependencies: ActorDependencies): Promise<Service> {
  const { bus, home, config, mostRuns = 64, kept, log, host, port, tls } = dependencies;
  const loadBalancing = 'round_robin';
  const policy = createClient(PolicyService, dependencies.policyTarget, { retry: ['getModelInfo'], loadBalancing });
  const retriever = createClient(RetrieverService, dependencies.retrieverTarget, {
    retry: ['search', 'getDocument', 'listCollections'],
    loadBalancing,
  });
  const sandbox = createClient(SandboxService, dependencies.sandboxTarget, {
    deadlineMs: programDeadline,
    loadBalancing,
  });
  const models = new Models(policy, config.models);
  const tools = new ToolSources(config, log);
  const store = new RunStore(join(home, 'actor'), log, kept);
  const events = bus && new StepEvents(bus, log);
  const services = { models, retriever, sandbox, tools };
  const { approvalTimeoutMs: approvalTimeout } = config;
  const runs = new Runs({ store, services, events, log, mostRuns, approvalTimeout });
  const closeOthers = async (): Promise<void> => {
    await tools[Symbol.asyncDispose]();
    await events?.flush();
    for (const client of [policy, retriever, sandbox]) client.close();
  };

  const service = implementService(ActorService, {
    run: async function* (requests, context) {
      const given = requests[Symbol.asyncIterator]();
      const live = await begin(runs, await firstOf(given), context);
      const { runId, model, modelVersion, session } = live;
      if (session) void obey(given, session);
      const stop = (): void => session?.interrupt(context.signal.reason as CrucibleError);
      context.signal.addEventListener('abort', stop, { once: true });
      try {
        if (context.signal.aborted) stop();
        yield { event: { case: 'started', value: { runId, model, modelVersion } } };
        for await (const event of live.events) yield responseOf(event);
      } finally {
        context.signal.removeEventListener('abort', stop);
        session?.interrupt(new CrucibleError('cancelled', 'nobody listens any more'));
      }
    },

    getRun: ({ runId, afterStep }) => {
      const run = runMessage(store.get(runId));
      const steps: MessageInitShape<typeof StepSchema>[] = [];
      let bytes = 0;
      for (const entry of store.entries(runId)) {
        if (entry.kind !== 'step' || entry.step.number <= afterStep) continue;
        bytes += Buffer.byteLength(JSON.stringify(entry.step));
        if (steps.length > 0 && bytes > mostStepBytes) return { run, steps, more: true };
        steps.push(messageFromStep(entry.step));
      }
      return { run, steps };
    },

    getPicture: ({ runId, pictureId }) => ({ content: store.picture(runId, pictureId) }),

    listRuns: ({ pageSize, pageToken, states }) => {
      if (pageSize > mostPage) throw invalidInput(`page_size: ${pageSize} is above ${mostPage}`, { at: 'page_size' });
      const size = pageSize === 0 ? defaultPage : pageSize;
      const wanted = store.list().filter(stateFilter(states));
      const from = pageToken === '' ? 0 : placeAfter(pageToken, wanted);
      const page = wanted.slice(from, from + size);
      return {
        runs: page.map(runMessage),
        nextPageToken: from + size < wanted.length ? tokenOf(page.at(-1)!) : '',
      };
    },

    listTools: async (_request, { signal }) => {
      const { tools: all, missing } = await tools.list(signal);
      return {
        tools: all.map(toolMessage),
        missing: [...missing],
        strategies: [...strategyNames],
        models: [...models.names],
      };
    },
  });

  const server = await createServer({
    host,
    port,
    services: [service],
    onCallEnd: logCalls(log),
    ...(tls && { tls }),
  }).catch(async (reason: unknown) => {
    await closeOthers();
    throw reason;
  });
  log.info({ target: server.target }, 'the actor serves');
  return {
    name: 'actor',
    target: server.target,
    close: async (graceMs = 10_000) => {
      runs.prepareToClose();
      await server.drain({ graceMs });
      await runs.idle();
      await closeOthers();
    },
  };
}

async function firstOf(requests: AsyncIterator<RunRequest>): Promise<RunRequest['request']> {
  const first = await requests.next();
  if (first.done === true) throw invalidInput('request: the first one, start or resume, is missing', { at: 'request' });
  return first.value.request;
}

function begin(runs: Runs, request: RunRequest['request'], { signal }: CallContext): Promise<LiveRun> {
  switch (request.case) {
    case 'start': {
      const { length } = toBinary(StartRunSchema, request.value);
      if (length > mostStartBytes)
        throw invalidInput(`start: it has ${length} bytes; ${mostStartBytes} are allowed`, { at: 'start' });
      return runs.start(runSpecFromMessage(request.value), signal);
    }
    case 'resume':
      return runs.resume(request.value.runId, request.value.afterStep, signal);
    default:
      throw invalidInput('request: the first one must be start or resume', { at: 'request' });
  }
}

/** Does what else the caller says, until the call ends; what is wrong with it ends the listening. */
async function obey(requests: AsyncIterator<RunRequest>, session: RunSession): Promise<void> {
  try {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      const { request } = next.value;
      if (request.case === 'approval') {
        const { callId, approved, reason } = request.value;
        session.decide(callId, approved, reason);
      } else if (request.case === 'cancel') session.cancel();
      else throw invalidInput('request: after the first come approvals and cancel alone', { at: 'request' });
    }
  } catch (reason) {
    session.interrupt(CrucibleError.from(reason));
  }
}

function responseOf(event: SessionEvent): Response {
  return event.kind === 'step'
    ? { event: { case: 'step', value: messageFromStep(event.step) } }
    : { event: { case: 'approvalRequest', value: approvalMessage(event.asked) } };
}

interface Place {
  readonly createdAt: number;
  readonly runId: string;
}

function tokenOf({ createdAt, runId }: Place): string {
  return Buffer.from(JSON.stringify([createdAt, runId])).toString('base64url');
}

/** Of the first that is older than the one of the token, which may be gone. */
function placeAfter(token: string, runs: readonly Place[]): number {
  let createdAt: unknown;
  let runId: unknown;
  try {
    [createdAt, runId] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [unknown, unknown];
  } catch {
    // It is said below.
  }
  if (typeof createdAt !== 'number' || typeof runId !== 'string')
    throw invalidInput('page_token: it is none of ours', { at: 'page_token' });
  const place = runs.findIndex(
    (run) => run.createdAt < createdAt || (run.createdAt === createdAt && run.runId < runId),
  );
  return place < 0 ? runs.length : place;
}

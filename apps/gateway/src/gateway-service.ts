/**
 * The gateway: the only public door. OpenAI's HTTP API in front of the policy, documents and searches in front of the
 * retriever, programs in front of the sandbox, curves in front of the trainer; keys, limits and the console.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { routePath } from 'hono/route';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import { ActorService } from '@crucible/protos/actor/v1';
import { PolicyService } from '@crucible/protos/policy/v1';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { SandboxService } from '@crucible/protos/sandbox/v1';
import { TrainerService } from '@crucible/protos/trainer/v1';
import { type ClientTls, createClient, targetFrom } from '@crucible/rpc';
import { ApiKeys, type Logger, type Service } from '@crucible/service';
import { createAccess, type GatewayEnv } from './access.ts';
import { createClassificationsRoute } from './classifications-route.ts';
import { createChatCompletionsRoute } from './chat-completions-route.ts';
import { createCompletionsRoute } from './completions-route.ts';
import { createEmbeddingsRoute } from './embeddings-route.ts';
import { createConsoleFiles } from './console-files.ts';
import { createExecuteRoute, sandboxInfo } from './execute-route.ts';
import { createMcpRoute } from './mcp-route.ts';
import { createJobRoutes } from './job-routes.ts';
import { createKnowledgeRoutes, isUpload } from './knowledge-routes.ts';
import { LiveRuns } from './live-runs.ts';
import { BodyTooLargeError, errorResponse } from './http-error.ts';
import { Metrics } from './metrics.ts';
import { Models, newestModel } from './models.ts';
import { splitModel } from './run-request.ts';
import { createRunRoutes } from './run-routes.ts';
import { StrategyModels } from './strategy-models.ts';
import { isLoopback, loopbackNames } from './same-site.ts';

export interface GatewayDependencies {
  /** Where the policy serves, `host:port`. */
  readonly policyTarget: string;
  /** Where the retriever serves, `host:port`. */
  readonly retrieverTarget: string;
  /** Where the sandbox serves, `host:port`. */
  readonly sandboxTarget: string;
  /** Where the trainer serves, `host:port`. */
  readonly trainerTarget: string;
  /** Where the actor serves, `host:port`. */
  readonly actorTarget: string;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Folder of the API keys; it need not exist. Default: there are none. */
  readonly keys?: string;
  /** Who may ask where there are no keys. Default: this machine alone. */
  readonly withoutKeys?: 'loopback' | 'anywhere';
  /** Names under which it may be asked without keys, beside those of this machine. Default: none. */
  readonly hosts?: readonly string[];
  /** Origins of pages that may ask, as `https://chat.example`. Default: none but our own. */
  readonly origins?: readonly string[];
  /** Folder of the console's build; it need not exist. Default: none. */
  readonly console?: string;
  readonly policyTls?: ClientTls;
  readonly sandboxTls?: ClientTls;
}

const mostBodyBytes = 4 * 1024 * 1024;
/** Milliseconds for telling callers that their answers are broken off, at the end of a close. */
const goodbyeMs = 500;
/** Seconds for which a browser may remember that it may ask. */
const preflightSeconds = 600;

export async function createGatewayService({
  policyTarget,
  retrieverTarget,
  sandboxTarget,
  trainerTarget,
  actorTarget,
  log,
  host,
  port,
  keys: keysFolder,
  withoutKeys = 'loopback',
  hosts = [],
  origins = [],
  console: consoleFolder,
  policyTls,
  sandboxTls,
}: GatewayDependencies): Promise<Service> {
  const keys =
    keysFolder === undefined
      ? undefined
      : new ApiKeys(keysFolder, ({ message }) => log.error({ error: message }, 'a key cannot be read'));
  if (keys?.isEmpty !== false && withoutKeys === 'loopback' && !isLoopback(host)) {
    throw new CrucibleError(
      'failed-precondition',
      `without API keys the gateway serves this machine alone, and ${host} is open to others: make a key with \`crucible keys add NAME\`, or set CRUCIBLE_GATEWAY_WITHOUT_KEYS=anywhere`,
      { at: 'host' },
    );
  }
  const policy = createClient(PolicyService, policyTarget, {
    retry: ['getModelInfo'],
    loadBalancing: 'round_robin',
    ...(policyTls && { tls: policyTls }),
  });
  const retriever = createClient(RetrieverService, retrieverTarget, {
    retry: ['search', 'getDocument', 'listDocuments', 'listCollections'],
    loadBalancing: 'round_robin',
  });
  const sandbox = createClient(SandboxService, sandboxTarget, {
    retry: ['getSandboxInfo'],
    loadBalancing: 'round_robin',
    ...(sandboxTls && { tls: sandboxTls }),
  });
  const trainer = createClient(TrainerService, trainerTarget, {
    retry: ['getJob', 'listJobs', 'cancelJob'],
    loadBalancing: 'round_robin',
  });
  const actor = createClient(ActorService, actorTarget, {
    retry: ['getRun', 'listRuns', 'getPicture'],
    loadBalancing: 'round_robin',
  });
  const closeClients = (): void => {
    for (const client of [policy, retriever, sandbox, trainer, actor]) client.close();
  };
  const models = new Models(policy);
  const strategies = new StrategyModels(actor);
  const metrics = new Metrics();
  const closing = new AbortController();
  const leaving = new AbortController();
  const app = new Hono<GatewayEnv>();
  app.use(async (context, next) => {
    const began = performance.now();
    const { outgoing } = context.env;
    let route = 'other';
    outgoing.once('close', () =>
      metrics.request(context.req.method, route, outgoing.statusCode, performance.now() - began),
    );
    await next();
    route = routePath(context);
    context.header('x-content-type-options', 'nosniff');
  });
  if (origins.length > 0) {
    app.use(
      cors({
        origin: [...origins],
        exposeHeaders: [
          'retry-after',
          ...['limit', 'remaining', 'reset'].flatMap((what) => [
            `x-ratelimit-${what}-requests`,
            `x-ratelimit-${what}-tokens`,
          ]),
        ],
        maxAge: preflightSeconds,
      }),
    );
  }
  const checksHosts = withoutKeys === 'loopback' || hosts.length > 0;
  app.use(createAccess({ keys, origins, hosts: checksHosts ? [...loopbackNames(host), ...hosts] : undefined }));
  const limited = bodyLimit({
    maxSize: mostBodyBytes,
    onError: (context) => {
      // What is left of the body is not read, so that nothing else can come over this connection.
      context.header('connection', 'close');
      return errorResponse(context, new BodyTooLargeError(mostBodyBytes));
    },
  });
  app.use((context, next) => (isUpload(context.req.method, context.req.path) ? next() : limited(context, next)));

  app.get('/healthz', async (context) => {
    try {
      const { models: served, newest } = await withDeadline(models.list(), 2000, 'the policy');
      const status = served.length === 0 ? 'starting' : 'ok';
      return context.json({ status, model: newest === '' ? null : newest }, status === 'ok' ? 200 : 503);
    } catch (reason) {
      return context.json({ status: 'unavailable', message: CrucibleError.from(reason).message }, 503);
    }
  });
  app.get('/metrics', (context) => {
    context.header('content-type', 'text/plain; version=0.0.4; charset=utf-8');
    return context.body(metrics.text());
  });
  app.get('/v1/models', async (context) => {
    const { models: served, newest } = await models.list(context.req.raw.signal);
    const newestInfo = served.find(({ name }) => name === newest);
    const aliased = newestInfo && newest !== newestModel ? [{ ...modelEntry(newestInfo), id: newestModel }] : [];
    const data = [...aliased, ...served.map(modelEntry)];
    return context.json({ object: 'list', data: [...data, ...(await strategies.entries(data.at(0)))] });
  });
  // `crucible/react` comes as it is, or with its slash escaped.
  app.get('/v1/models/:id{.+}', async (context) => {
    const id = context.req.param('id');
    const { info } = await models.find(splitModel(id).model, context.req.raw.signal);
    return context.json({ ...modelEntry(info), id });
  });
  const runs = new LiveRuns(actor);
  const answering = { policy, models, metrics, log, closing: closing.signal, runs };
  app.post('/v1/chat/completions', createChatCompletionsRoute(answering));
  app.post('/v1/classifications', createClassificationsRoute(policy));
  app.post('/v1/completions', createCompletionsRoute(answering));
  app.post('/v1/embeddings', createEmbeddingsRoute(retriever));
  app.route('/v1/runs', createRunRoutes({ ...answering, actor, leaving: leaving.signal }));
  app.route('/v1/knowledge', createKnowledgeRoutes(retriever));
  app.get('/v1/sandbox', async (context) => context.json(await sandboxInfo(sandbox, context.req.raw.signal)));
  app.post('/v1/sandbox/execute', createExecuteRoute({ sandbox, closing: closing.signal }));
  app.route('/v1/jobs', createJobRoutes({ trainer, closing: closing.signal, leaving: leaving.signal }));
  const mcp = createMcpRoute({ actor, retriever, sandbox });
  app.all('/mcp', mcp.handle);
  app.get('/v1/*', (context) => context.notFound());
  app.get('*', createConsoleFiles(consoleFolder));
  app.notFound((context) => {
    const { method, path } = context.req;
    return errorResponse(context, new CrucibleError('not-found', `${method} ${path} does not exist`));
  });
  app.onError((reason, context) => {
    const error = CrucibleError.from(reason);
    if (error.code === 'internal')
      log.error({ path: context.req.path, error: error.message, stack: reason.stack }, 'a request failed');
    return errorResponse(context, error);
  });

  const server = await listen(app, host, port).catch((reason: unknown) => {
    closeClients();
    throw reason;
  });
  const target = targetFrom(host, (server.address() as AddressInfo).port);
  log.info({ target, keys: keys?.list().length ?? 0 }, 'the gateway serves');
  return {
    name: 'gateway',
    target,
    close: async (graceMs = 10_000) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      leaving.abort(new CrucibleError('unavailable', 'the gateway is shutting down; follow again from the last event'));
      runs.prepareToClose();
      // Clients keep connections open for requests that will not be taken any more.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      await withDeadline(closed, graceMs, 'open requests').catch(() => {
        closing.abort(new CrucibleError('unavailable', 'the gateway is shutting down; the answer was broken off'));
      });
      await withDeadline(closed, goodbyeMs, 'open connections').catch(() => server.closeAllConnections());
      await closed;
      clearInterval(sweep);
      await mcp.close();
      closeClients();
    },
  };
}

function modelEntry({
  name,
  version,
  stage,
  contextLength,
  parameterCount,
  loadedAt,
}: ModelInfo): { readonly id: string } & Record<string, unknown> {
  return {
    id: name,
    object: 'model',
    created: loadedAt ? Math.floor(timestampDate(loadedAt).getTime() / 1000) : 0,
    owned_by: 'crucible',
    // Ours, beside the fields of OpenAI's API
    version,
    stage,
    context_length: contextLength,
    parameters: Number(parameterCount),
  };
}

function listen(app: Hono<GatewayEnv>, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(server)) as Server;
    server.once('error', (reason: NodeJS.ErrnoException) => {
      const busy = reason.code === 'EADDRINUSE';
      reject(
        busy
          ? new CrucibleError('conflict', `port ${port} of ${host} is taken by another process`, {
              at: 'port',
              cause: reason,
            })
          : CrucibleError.from(reason),
      );
    });
  });
}

/**
 * The gateway: the only public door. OpenAI's HTTP API in front of the policy, documents and searches in front of the
 * retriever, and programs in front of the sandbox.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import { PolicyService } from '@crucible/protos/policy/v1';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { SandboxService } from '@crucible/protos/sandbox/v1';
import { type ClientTls, createClient, targetFrom } from '@crucible/rpc';
import type { Logger, Service } from '@crucible/service';
import { createClassificationsRoute } from './classifications-route.ts';
import { createChatCompletionsRoute } from './chat-completions-route.ts';
import { createExecuteRoute, sandboxInfo } from './execute-route.ts';
import { createKnowledgeRoutes, isUpload } from './knowledge-routes.ts';
import { BodyTooLargeError, errorResponse } from './http-error.ts';
import { Models, newestModel } from './models.ts';

export interface GatewayDependencies {
  /** Where the policy serves, `host:port`. */
  readonly policyTarget: string;
  /** Where the retriever serves, `host:port`. */
  readonly retrieverTarget: string;
  /** Where the sandbox serves, `host:port`. */
  readonly sandboxTarget: string;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly policyTls?: ClientTls;
  readonly sandboxTls?: ClientTls;
}

const mostBodyBytes = 4 * 1024 * 1024;
/** Milliseconds for telling callers that their answers are broken off, at the end of a close. */
const goodbyeMs = 500;

export async function createGatewayService({
  policyTarget,
  retrieverTarget,
  sandboxTarget,
  log,
  host,
  port,
  policyTls,
  sandboxTls,
}: GatewayDependencies): Promise<Service> {
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
  const closeClients = (): void => {
    policy.close();
    retriever.close();
    sandbox.close();
  };
  const models = new Models(policy);
  const closing = new AbortController();
  const app = new Hono();
  const limited = bodyLimit({
    maxSize: mostBodyBytes,
    onError: (context) => errorResponse(context, new BodyTooLargeError(mostBodyBytes)),
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
  app.get('/v1/models', async (context) => {
    const { models: served, newest } = await models.list(context.req.raw.signal);
    const newestInfo = served.find(({ name }) => name === newest);
    const aliased = newestInfo && newest !== newestModel ? [{ ...modelEntry(newestInfo), id: newestModel }] : [];
    return context.json({ object: 'list', data: [...aliased, ...served.map(modelEntry)] });
  });
  app.get('/v1/models/:id', async (context) => {
    const { info } = await models.find(context.req.param('id'), context.req.raw.signal);
    return context.json({ ...modelEntry(info), id: context.req.param('id') });
  });
  app.post('/v1/chat/completions', createChatCompletionsRoute({ policy, models, log, closing: closing.signal }));
  app.post('/v1/classifications', createClassificationsRoute(policy));
  app.route('/v1/knowledge', createKnowledgeRoutes(retriever));
  app.get('/v1/sandbox', async (context) => context.json(await sandboxInfo(sandbox, context.req.raw.signal)));
  app.post('/v1/sandbox/execute', createExecuteRoute({ sandbox, closing: closing.signal }));
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
  log.info({ target }, 'the gateway serves');
  return {
    name: 'gateway',
    target,
    close: async (graceMs = 10_000) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Clients keep connections open for requests that will not be taken any more.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      await withDeadline(closed, graceMs, 'open requests').catch(() => {
        closing.abort(new CrucibleError('unavailable', 'the gateway is shutting down; the answer was broken off'));
      });
      await withDeadline(closed, goodbyeMs, 'open connections').catch(() => server.closeAllConnections());
      await closed;
      clearInterval(sweep);
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

function listen(app: Hono, host: string, port: number): Promise<Server> {
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

/**
 * Who may ask what. With keys: the key's scopes, limits and expiry. Without: this machine alone, and no page of
 * another site in a browser on it.
 */
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import { CrucibleError } from '@crucible/foundation';
import type { ApiKey, ApiKeys, KeyScope } from '@crucible/service';
import { errorResponse } from './http-error.ts';
import { type Allowance, RateLimits } from './rate-limits.ts';
import { assertKnownHost, assertSameSite } from './same-site.ts';

/** Who asks, as the routes see it. */
export interface Caller {
  /** Whose runs are whose; '' without keys, when all are everybody's. */
  readonly id: string;
  readonly assertMay: (scope: KeyScope, what: string) => void;
  readonly spendTokens: (tokens: number) => void;
}

export interface GatewayEnv {
  readonly Bindings: HttpBindings;
  readonly Variables: { readonly caller: Caller };
}

export type GatewayContext = Context<GatewayEnv>;

export interface AccessOptions {
  /** Undefined: there will be none. */
  readonly keys: ApiKeys | undefined;
  /** Names under which it may be asked without keys; undefined: any. */
  readonly hosts: readonly string[] | undefined;
  /** Pages of these origins may ask. */
  readonly origins: readonly string[];
}

interface Area {
  readonly path: RegExp;
  /** Undefined: any key will do. */
  readonly scope: KeyScope | undefined;
}

/** The first that fits; what fits none needs no key. */
const areas: readonly Area[] = [
  { path: /^\/v1\/(?:models|chat|completions|classifications|runs)(?:\/|$)/, scope: 'chat' },
  { path: /^\/v1\/(?:knowledge|embeddings)(?:\/|$)/, scope: 'knowledge' },
  { path: /^\/v1\/sandbox(?:\/|$)/, scope: 'sandbox' },
  { path: /^\/v1\/jobs(?:\/|$)/, scope: 'jobs' },
  { path: /^\/v1(?:\/|$)/, scope: undefined },
  { path: /^\/metrics(?:\/|$)/, scope: 'metrics' },
  { path: /^\/mcp(?:\/|$)/, scope: 'tools' },
];

/** Requests that compute for long. */
const runPaths = /^\/(?:v1\/(?:chat\/completions|completions|embeddings|sandbox\/execute)|mcp)$/;

const anybody: Caller = { id: '', assertMay: () => undefined, spendTokens: () => undefined };

export function createAccess({ keys, hosts, origins }: AccessOptions): MiddlewareHandler<GatewayEnv> {
  const limits = new RateLimits();
  // Where keys were asked for once, taking the last one away opens nothing.
  let asksForKeys = keys?.isEmpty === false;
  /** The key that the request needs and has; undefined where it needs none. Throws why it may not go on. */
  const admitted = (context: GatewayContext): ApiKey | undefined => {
    const { method, path } = context.req;
    asksForKeys ||= keys?.isEmpty === false;
    if (!keys || !asksForKeys) {
      if (hosts) assertKnownHost(context.req.header('host'), hosts);
      assertSameSite(method, (name) => context.req.header(name), origins);
      return undefined;
    }
    const area = areas.find((each) => each.path.test(path));
    if (!area) return undefined;
    const key = validKey(keys, context.req.header('authorization'));
    if (area.scope !== undefined) callerOf(key, limits).assertMay(area.scope, `${method} ${path}`);
    return key;
  };
  return async (context, next) => {
    const { method, path } = context.req;
    let key: ApiKey | undefined;
    try {
      key = admitted(context);
      const startsRun = method === 'POST' && runPaths.test(path);
      if (key) limits.admit(key, startsRun);
      // The answer to a run is at work until its last byte is out, or the caller has left.
      if (key && startsRun) context.env.outgoing.once('close', limits.beginRun(key));
    } catch (reason) {
      const error = CrucibleError.from(reason);
      if (error.code === 'unauthenticated') context.header('WWW-Authenticate', 'Bearer');
      if (key) tellAllowances(context, limits, key);
      return errorResponse(context, error);
    }
    context.set('caller', key ? callerOf(key, limits) : anybody);
    await next();
    if (key) tellAllowances(context, limits, key);
    return undefined;
  };
}

function validKey(keys: ApiKeys, header: string | undefined): ApiKey {
  const refuse = (message: string): CrucibleError =>
    new CrucibleError('unauthenticated', message, { at: 'authorization' });
  if (header === undefined) throw refuse('an API key is needed: send the header `Authorization: Bearer KEY`');
  const [, shown] = /^Bearer +(\S+) *$/i.exec(header) ?? [];
  if (shown === undefined) throw refuse('the header Authorization must be `Bearer KEY`');
  const key = keys.find(shown);
  if (!key) throw refuse('the API key is not known here');
  if (key.expiresAt && key.expiresAt.getTime() <= Date.now())
    throw refuse(`the API key ${key.name} has expired, on ${key.expiresAt.toISOString()}`);
  return key;
}

function callerOf(key: ApiKey, limits: RateLimits): Caller {
  return {
    id: key.id,
    assertMay: (scope, what) => {
      if (key.scopes.includes(scope)) return;
      throw new CrucibleError(
        'permission-denied',
        `${what}: the key ${key.name} has no scope ${scope}; it has ${key.scopes.join(', ') || 'none'}`,
      );
    },
    spendTokens: (tokens) => limits.spendTokens(key, tokens),
  };
}

function tellAllowances(context: Context, limits: RateLimits, key: ApiKey): void {
  const { requests, tokens } = limits.allowances(key);
  const tell = (what: string, { limit, remaining, resetMs }: Allowance): void => {
    context.header(`x-ratelimit-limit-${what}`, String(limit));
    context.header(`x-ratelimit-remaining-${what}`, String(remaining));
    context.header(`x-ratelimit-reset-${what}`, `${(resetMs / 1000).toFixed(3)}s`);
  };
  if (requests) tell('requests', requests);
  if (tokens) tell('tokens', tokens);
}

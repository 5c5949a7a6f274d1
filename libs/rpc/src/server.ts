/**
 * A gRPC server: services, health and reflection on one port, limits on everything that a caller could do without end,
 * and a shutdown that lets calls finish.
 */
import type { ServerOptions as ServerOptionsOfNode } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { Server as GrpcServer, logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import { Health as HealthService } from '@crucible/protos/grpc/health/v1';
import { bind } from './bind.ts';
import { deadlineBound } from './deadline-bound.ts';
import { Health } from './health.ts';
import { resolveServerLimits } from './limits.ts';
import type { ServerLimits } from './limits.ts';
import { methodDefinition } from './method.ts';
import { addReflection } from './reflection.ts';
import { CallHost } from './serve-call.ts';
import type { CallReport } from './serve-call.ts';
import type { ServiceImplementation } from './service.ts';
import { targetFrom } from './target.ts';
import { serverCredentials } from './tls.ts';
import type { ServerTls } from './tls.ts';
import { assertWholeNumber, maxTimerMs } from './whole-number.ts';

export interface ServerOptions {
  /** The address to listen at. Default 127.0.0.1: this machine alone. 0.0.0.0 or :: for all its addresses. */
  readonly host?: string;

  /** 0 takes a free one; `Server.port` names it. */
  readonly port: number;

  /** Made by `implementService`. */
  readonly services: readonly ServiceImplementation[];

  readonly limits?: ServerLimits;

  /** Default: plain text. */
  readonly tls?: ServerTls;

  /** Default: a new one. What it does not know yet of this server's services, and of the server as a whole, is SERVING. */
  readonly health?: Health;

  /** Whether tools may ask for the services and their messages. Default true. */
  readonly reflection?: boolean;

  /** Called when a handler has come to its end; for logs and metrics. It must not throw. */
  readonly onCallEnd?: (report: CallReport) => void;
}

export interface DrainOptions {
  /**
   * How long to serve on as NOT_SERVING before new calls are refused, so that load balancers have turned away by then.
   * Default 0.
   */
  readonly delayMs?: number;

  /** How long calls may take to finish before their signals are aborted. Default 30 seconds. */
  readonly graceMs?: number;
}

/** How long handlers whose signals were aborted may take to say so to their callers before the connections are cut. */
const abortedGraceMs = 1000;

/** Fails with `conflict` when the port is taken. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { host = '127.0.0.1', port, services, onCallEnd, health = new Health(), reflection = true } = options;
  assertWholeNumber('port', port, 0, 65_535);
  const limits = resolveServerLimits(options.limits);
  const credentials = serverCredentials(options.tls);
  // What it has to say it also says in its errors; this is about lines that it prints besides.
  if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE);

  const watch = methodDefinition(HealthService.method.watch);
  const grpc = new GrpcServer({
    interceptors: [deadlineBound(limits, [watch.path])],
    'grpc.max_receive_message_length': limits.maxReceiveBytes,
    'grpc.max_send_message_length': limits.maxSendBytes,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc.max_connection_age_ms': limits.maxConnectionAgeMs,
    // For callers that leave their side of a call open when it is over; nobody else has calls that last as long.
    'grpc.max_connection_age_grace_ms': limits.maxDeadlineMs,
    'grpc.max_connection_idle_ms': limits.maxConnectionIdleMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
  });
  allowCancelling(grpc);
  const calls = new CallHost({ maxSendBytes: limits.maxSendBytes, onCallEnd });
  const all = [...services, health.implementation];
  for (const { service, handler } of all) {
    const methods = service.methods.map((method) => [method.localName, method] as const);
    grpc.addService(
      Object.fromEntries(methods.map(([name, method]) => [name, methodDefinition(method)])),
      Object.fromEntries(methods.map(([name, method]) => [name, calls.handle(method, handler(method))])),
    );
  }
  const described = all.map(({ service }) => service);
  if (reflection) addReflection(grpc, described);
  for (const name of ['', ...services.map(({ service }) => service.typeName)])
    if (health.get(name) === undefined) health.set('SERVING', name);

  try {
    return new RunningServer(grpc, calls, health, host, await bind(grpc, host, port, credentials));
  } catch (reason) {
    grpc.forceShutdown();
    throw reason;
  }
}

/** A server that listens; made by `createServer`. */
export interface Server extends AsyncDisposable {
  readonly host: string;
  readonly port: number;

  /** `host:port`, as clients write it. */
  readonly target: string;

  readonly health: Health;

  /** Calls whose handlers are at work. */
  readonly activeCalls: number;

  /**
   * Shuts down: health turns NOT_SERVING; after `delayMs` new calls are refused; calls at work finish, or are aborted as
   * `unavailable` after `graceMs` more. Resolves when all connections are closed. A second call waits for the first.
   */
  drain(options?: DrainOptions): Promise<void>;
}

class RunningServer implements Server {
  readonly host: string;
  readonly port: number;
  readonly health: Health;
  readonly #grpc: GrpcServer;
  readonly #calls: CallHost;
  #drained: Promise<void> | undefined;

  constructor(grpc: GrpcServer, calls: CallHost, health: Health, host: string, port: number) {
    this.#grpc = grpc;
    this.#calls = calls;
    this.health = health;
    this.host = host;
    this.port = port;
  }

  get target(): string {
    return targetFrom(this.host, this.port);
  }

  get activeCalls(): number {
    return this.#calls.activeCalls;
  }

  async drain({ delayMs = 0, graceMs = 30_000 }: DrainOptions = {}): Promise<void> {
    assertWholeNumber('delayMs', delayMs, 0, maxTimerMs);
    assertWholeNumber('graceMs', graceMs, 0, maxTimerMs);
    this.#drained ??= this.#drain(delayMs, graceMs);
    await this.#drained;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  async #drain(delayMs: number, graceMs: number): Promise<void> {
    this.health.stop();
    await delay(delayMs);
    this.health.endWatches();
    const closed = new Promise<void>((resolve) => this.#grpc.tryShutdown(() => resolve()));
    if (await endsWithin(closed, graceMs)) return;
    this.#calls.abortAll(new CrucibleError('unavailable', 'the server is shutting down'));
    if (await endsWithin(closed, abortedGraceMs)) return;
    this.#grpc.forceShutdown();
    await closed;
  }
}

/**
 * Node closes a connection, with all that is under way on it, after a thousand cancelled calls and 33 a second more (its
 * guard against CVE-2023-44487), and after a hundred calls above maxConcurrentStreams. Here to cancel is the way to stop
 * a generation, so more must do. grpc-js hands no such options on: this adds them to those that it gives to Node.
 */
function allowCancelling(grpc: GrpcServer): void {
  const { commonServerOptions } = grpc as unknown as { commonServerOptions: ServerOptionsOfNode };
  commonServerOptions.streamResetBurst = 20_000;
  commonServerOptions.streamResetRate = 2000;
  commonServerOptions.maxSessionRejectedStreams = 20_000;
}

async function endsWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  return withDeadline(promise, ms, 'shutdown').then(
    () => true,
    () => false,
  );
}

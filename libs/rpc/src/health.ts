/** The state of a server's services, as load balancers and Kubernetes ask for it (grpc.health.v1). */
import { EventEmitter, on } from 'node:events';
import { CrucibleError } from '@crucible/foundation';
import {
  HealthCheckResponse_ServingStatus as WireStatus,
  Health as HealthService,
} from '@crucible/protos/grpc/health/v1';
import { implementService } from './service.ts';
import type { ServiceImplementation } from './service.ts';

export type ServingStatus = 'SERVING' | 'NOT_SERVING';

/** The name of the server as a whole. */
const wholeServer = '';

interface HealthEvents {
  change: [];
  end: [];
}

/** Make one before the server to choose the states that it begins with, or to show one state on several ports. */
export class Health {
  readonly #statuses = new Map<string, ServingStatus>();
  readonly #events = new EventEmitter<HealthEvents>().setMaxListeners(0);
  #stopped = false;

  /** `service`: its full name; by default the server as a whole. No effect after `stop`. */
  set(status: ServingStatus, service = wholeServer): void {
    if (this.#stopped) return;
    this.#statuses.set(service, status);
    this.#events.emit('change');
  }

  /** `undefined` when no such service is known. */
  get(service = wholeServer): ServingStatus | undefined {
    return this.#statuses.get(service);
  }

  /** Forgets a service. */
  delete(service: string): void {
    this.#statuses.delete(service);
    this.#events.emit('change');
  }

  /** Everything is NOT_SERVING from now on. */
  stop(): void {
    for (const service of this.#statuses.keys()) this.#statuses.set(service, 'NOT_SERVING');
    this.#stopped = true;
    this.#events.emit('change');
  }

  /** Ends all streams of Watch, which would keep a server from shutting down. */
  endWatches(): void {
    this.#events.emit('end');
  }

  /** The state now and after every change, until `signal` is aborted or `endWatches` is called. */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus | undefined, void, undefined> {
    // Begins to listen here, before the first look, so that no change is missed.
    const changes = on(this.#events, 'change', { signal, close: ['end'] });
    let last = this.get(service);
    yield last;
    while ((await changes.next()).done !== true) {
      const status = this.get(service);
      if (status !== last) yield (last = status);
    }
  }

  get implementation(): ServiceImplementation {
    return implementService(HealthService, {
      check: ({ service }) => {
        const status = this.get(service);
        if (status === undefined) throw new CrucibleError('not-found', `this server has no service ${service}`);
        return { status: WireStatus[status] };
      },
      watch: ({ service }, { signal }) => this.#watchOnWire(service, signal),
      list: () => {
        const statuses = [...this.#statuses].map(([service, status]) => [service, { status: WireStatus[status] }]);
        return { statuses: Object.fromEntries(statuses) as Record<string, { status: WireStatus }> };
      },
    });
  }

  async *#watchOnWire(service: string, signal: AbortSignal): AsyncGenerator<{ status: WireStatus }, void, undefined> {
    for await (const status of this.watch(service, signal)) yield { status: WireStatus[status ?? 'SERVICE_UNKNOWN'] };
  }
}

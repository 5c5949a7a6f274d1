/** Services in this process: what `crucible up` and `crucible serve` start. */
import { join } from 'node:path';
import { createBus, type Bus } from '@crucible/bus';
import { consoleFolder } from '@crucible/console';
import { targetFrom } from '@crucible/rpc';
import { closeAll, createLogger, type LogLevel, type Service, type Settings } from '@crucible/service';
import { registryOf } from './registry.ts';

export const serviceNames = ['policy', 'reward', 'trainer', 'retriever', 'sandbox', 'actor', 'gateway'] as const;

export type ServiceName = (typeof serviceNames)[number];

export interface Hosted extends AsyncDisposable {
  readonly services: Readonly<Partial<Record<ServiceName, Service>>>;
  readonly bus: Bus | undefined;
  readonly close: (graceMs?: number) => Promise<void>;
}

/** Opens the bus and starts the named services in order; when one fails, those before it are closed again. */
export async function host(
  settings: Settings,
  names: readonly ServiceName[],
  logLevel: LogLevel = settings.logLevel,
): Promise<Hosted> {
  const log = createLogger('crucible', logLevel);
  const needsBus = names.some((name) => name !== 'gateway');
  const bus = needsBus ? await createBus(settings.bus) : undefined;
  const services: Partial<Record<ServiceName, Service>> = {};
  const started: Service[] = [];
  const close = async (graceMs = 10_000): Promise<void> => {
    await closeAll(started.splice(0), log, graceMs);
    await bus?.close();
  };
  try {
    for (const name of names) {
      const service = await start(name, settings, bus, createLogger(name, logLevel), services);
      services[name] = service;
      started.push(service);
    }
  } catch (reason) {
    await close(1000);
    throw reason;
  }
  return { services, bus, close, [Symbol.asyncDispose]: () => close() };
}

/** Loads the code of the one service alone: each brings much of its own. */
async function start(
  name: ServiceName,
  settings: Settings,
  bus: Bus | undefined,
  log: ReturnType<typeof createLogger>,
  others: Readonly<Partial<Record<ServiceName, Service>>>,
): Promise<Service> {
  const { host: address, ports, home, targets, device, precision } = settings;
  const common = { log, host: address, port: ports[name] };
  switch (name) {
    case 'policy': {
      const { createPolicyService } = await import('@crucible/policy');
      return createPolicyService({ ...common, bus: bus!, source: registryOf(settings), device });
    }
    case 'reward': {
      const { createRewardService } = await import('@crucible/reward');
      return createRewardService({ ...common, bus: bus!, source: registryOf(settings), device });
    }
    case 'trainer': {
      const { createTrainerService } = await import('@crucible/trainer');
      return createTrainerService({ ...common, bus: bus!, home, device, precision });
    }
    case 'retriever': {
      const { createRetrieverService } = await import('@crucible/retriever');
      return createRetrieverService({ ...common, bus: bus!, home, store: settings.retriever.store });
    }
    case 'sandbox': {
      const { createSandboxService } = await import('@crucible/sandbox-service');
      return createSandboxService({
        ...common,
        bus,
        boundary: settings.sandbox.boundary,
        cache: join(home, 'sandbox'),
      });
    }
    case 'actor': {
      const { createActorService, readActorConfig } = await import('@crucible/actor-service');
      return createActorService({
        ...common,
        bus,
        home,
        config: readActorConfig(settings.actor.config, home),
        mostRuns: settings.actor.runs,
        policyTarget: others.policy?.target ?? targets.policy,
        retrieverTarget: others.retriever?.target ?? targets.retriever,
        sandboxTarget: others.sandbox?.target ?? targets.sandbox,
      });
    }
    case 'gateway': {
      const { createGatewayService } = await import('@crucible/gateway');
      return createGatewayService({
        ...common,
        policyTarget: others.policy?.target ?? targets.policy,
        retrieverTarget: others.retriever?.target ?? targets.retriever,
        sandboxTarget: others.sandbox?.target ?? targets.sandbox,
        actorTarget: others.actor?.target ?? targets.actor,
        trainerTarget: others.trainer?.target ?? targets.trainer ?? targetFrom(address, ports.trainer),
        ...settings.gateway,
        console: settings.gateway.console ?? consoleFolder,
      });
    }
  }
}

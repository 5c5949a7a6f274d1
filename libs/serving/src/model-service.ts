import type { Bus } from '@crucible/bus';
import { createServer, type Server, type ServerTls, type ServiceImplementation } from '@crucible/rpc';
import { type Logger, logCalls, type Service, type WorkerMethods } from '@crucible/service';
import { EngineWorker } from './engine-worker.ts';
import { type EngineDevice, type LoadMethod, modelEngine, type OpenMethod } from './model-engine.ts';
import type { ModelSource } from './model-source.ts';
import { ServedModels, type ServedModelsOptions } from './served-models.ts';

export interface ModelServiceDependencies {
  readonly bus: Bus;
  readonly source: ModelSource;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
  /** Where the engine computes. Default: what CRUCIBLE_DEVICE says. */
  readonly device?: string;
}

export interface ModelServiceParts<M extends WorkerMethods<M>> {
  readonly name: string;
  /** The kind of model that it serves. */
  readonly kind: 'language' | 'scalar';
  /** Models of other kinds that it serves too. Default: none. */
  readonly serves?: ServedModelsOptions['serves'];
  /** The file of the engine's process: it calls `serveWorker`. */
  readonly engine: URL;
  /** `shared`: the calls that every service with models has. */
  readonly implement: (worker: EngineWorker<M>, models: ServedModels, shared: SharedCalls) => ServiceImplementation;
}

type SharedCalls = ReturnType<typeof sharedCalls>;

/** A service that answers from the newest weights: an engine in a process of its own, and calls that look into it. */
export async function createModelService<M extends WorkerMethods<M> & { load: LoadMethod; open: OpenMethod }>(
  { name, kind, serves, engine, implement }: ModelServiceParts<M>,
  { bus, source, log, host, port, tls, device }: ModelServiceDependencies,
): Promise<Service> {
  const env = device === undefined ? {} : { CRUCIBLE_DEVICE: device };
  const worker = await EngineWorker.start<M>(engine, { name: `the ${name} engine`, log, env });
  const models = new ServedModels({ kind, source, log, engine: modelEngine(worker), ...(serves && { serves }) });
  let server: Server | undefined;
  let engineDevice: EngineDevice;
  const stop = async (graceMs: number): Promise<void> => {
    await models.stop();
    await server?.drain({ graceMs });
    await worker.close();
  };
  try {
    engineDevice = await worker.call('open', {});
    const services = [implement(worker, models, sharedCalls(models))];
    server = await createServer({ host, port, services, onCallEnd: logCalls(log), ...(tls && { tls }) });
    await models.start(bus);
  } catch (reason) {
    await stop(0);
    throw reason;
  }
  const names = models.info('').map((model) => model.name);
  log.info({ target: server.target, models: names, ...engineDevice }, `the ${name} service serves`);
  return { name, target: server.target, close: (graceMs = 10_000) => stop(graceMs) };
}

function sharedCalls(models: ServedModels) {
  return {
    getModelInfo: ({ model }: { readonly model: string }) => ({
      models: models.info(model),
      defaultModel: models.defaultName ?? '',
    }),
    updateWeights: async ({ model, version, uri, sha256, allowRollback }: Parameters<ServedModels['update']>[0]) => ({
      model: await models.update({ model, version, uri, sha256, allowRollback }),
    }),
  };
}

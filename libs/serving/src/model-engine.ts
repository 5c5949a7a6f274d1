import type { WorkerMethods } from '@crucible/service';
import type { EngineWorker } from './engine-worker.ts';
import type { LoadedModel, ModelDescription } from './model-source.ts';

/** What holds the weights. */
export interface ModelEngine {
  /** Loads a version and serves new calls from it; on failure the old one goes on. */
  readonly load: (model: ModelDescription) => Promise<LoadedModel>;
  /**
   * Calls back when the engine was restarted and has lost its models, with what loads them again; other calls wait until
   * then.
   */
  readonly onRestart: (restore: (load: ModelEngine['load']) => Promise<void>) => void;
}

/** Where an engine computes, and why there. */
export interface EngineDevice {
  /** `cpu`, `webgpu` or `cuda`. */
  readonly device: string;
  readonly reason: string;
}

/** The method of an engine process that tries out its device; fails where it was named and is not there. */
export interface OpenMethod {
  readonly args: Readonly<Record<string, never>>;
  readonly result: EngineDevice;
  readonly item: never;
}

/** The method of an engine process that loads models. */
export interface LoadMethod {
  /** Loads a checkpoint folder and serves new calls to `name` from it: `MODEL`, or `MODEL:ADAPTER` for an adapter's. */
  readonly args: { readonly name: string; readonly version: number; readonly folder: string };
  readonly result: LoadedModel;
  readonly item: never;
}

/**
 * The engine that a worker process is. `loadDeadline`: milliseconds that loading a model may take before the process
 * counts as hung and is started anew. Default: 5 minutes.
 */
export function modelEngine<M extends WorkerMethods<M> & { load: LoadMethod }>(
  worker: EngineWorker<M>,
  { loadDeadline = 5 * 60_000 }: { readonly loadDeadline?: number } = {},
): ModelEngine {
  const loadBy =
    (engine: Pick<EngineWorker<M>, 'call'>): ModelEngine['load'] =>
    ({ name, version, folder }) =>
      engine.call('load', { name, version, folder }, { deadline: loadDeadline });
  return {
    load: loadBy(worker),
    onRestart: (restore) => worker.onRestart((fresh) => restore(loadBy(fresh))),
  };
}

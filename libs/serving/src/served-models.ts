import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Bus, Subscription } from '@crucible/bus';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ModelInfoSchema } from '@crucible/protos/model/v1';
import type { Logger } from '@crucible/service';
import type { ModelEngine } from './model-engine.ts';
import type { LoadedModel, ModelDescription, ModelSource } from './model-source.ts';

export interface WeightUpdate {
  readonly model: string;
  /** From 1. */
  readonly version: number;
  readonly uri: string;
  /** Empty: not compared. */
  readonly sha256: string;
  readonly allowRollback: boolean;
}

export interface ServedModelsOptions {
  /** Of the models that answer calls that name none. */
  readonly kind: 'language' | 'scalar';
  /** Models of other kinds that are served too. Default: none. */
  readonly serves?: (model: ModelDescription) => boolean;
  readonly source: ModelSource;
  readonly engine: ModelEngine;
  readonly log: Logger;
}

export interface ResolvedModel {
  readonly name: string;
  /** As of its description. */
  readonly kind: string;
  readonly loaded: LoadedModel;
  readonly version: number;
}

interface Served {
  readonly model: ModelDescription;
  readonly loaded: LoadedModel;
  readonly loadedAt: Date;
}

/** How often a published version is tried when the engine dies of it, or for another reason, meanwhile. */
const mostAttempts = 3;

/** A snapshot that has been replaced is gone from the disk, or older than what is served by now. */
const superseded: ReadonlySet<string> = new Set(['not-found', 'failed-precondition']);

/**
 * The models that a service answers with: the registry's at the start, then whatever is published. The newest one
 * answers calls that name none. Updates of one model follow one another; a failed one leaves the old weights serving.
 */
export class ServedModels {
  readonly #options: ServedModelsOptions;
  readonly #served = new Map<string, Served>();
  readonly #updating = new Map<string, Promise<unknown>>();
  #subscription: Subscription | undefined;

  constructor(options: ServedModelsOptions) {
    this.#options = options;
    options.engine.onRestart((load) => this.#reload(load));
  }

  /** Loads what the registry has and follows the bus. */
  async start(bus: Bus): Promise<void> {
    // First the subscription: what is published while the registry is read must not be missed.
    this.#subscription = await bus.subscribe('crucible.weights.published', {}, async ({ event }) => {
      const { model, version, uri, sha256 = '' } = event.data;
      await this.#follow({ model, version, uri, sha256, allowRollback: false });
    });
    const { source, log } = this.#options;
    for (const name of this.#namesInOrder()) {
      try {
        const { version, uri, sha256 } = source.resolve(name);
        await this.#follow({ model: name, version, uri, sha256, allowRollback: false });
      } catch (reason) {
        log.error({ model: name, error: CrucibleError.from(reason).message }, 'a model of the registry was not loaded');
      }
    }
  }

  /** Of the registry; adapters come after the models that they belong to. */
  #namesInOrder(): string[] {
    const { source } = this.#options;
    const isAdapter = (name: string): boolean => {
      try {
        return source.resolve(name).kind === 'adapter';
      } catch {
        // Said when it is loaded.
        return false;
      }
    };
    const { last = [], first = [] } = Object.groupBy(source.names(), (name) => (isAdapter(name) ? 'last' : 'first'));
    return [...first, ...last];
  }

  async stop(): Promise<void> {
    await this.#subscription?.close();
  }

  /** Name of the model that answers calls that name none; undefined while there is none. */
  get defaultName(): string | undefined {
    const whole = [...this.#served.values()].filter(({ model }) => model.kind === this.#options.kind);
    return whole.sort((a, b) => b.model.createdAt.localeCompare(a.model.createdAt))[0]?.model.name;
  }

  /** The model for a call: `name`, or the default when it is empty. */
  resolve(name: string): ResolvedModel {
    const wanted = name === '' ? this.defaultName : name;
    if (wanted === undefined) throw new CrucibleError('failed-precondition', 'no model is loaded yet', { at: 'model' });
    const { loaded, model } = this.#find(wanted);
    return { name: wanted, kind: model.kind, loaded, version: model.version };
  }

  #find(name: string): Served {
    const served = this.#served.get(name);
    if (served) return served;
    const known = [...this.#served.keys()].sort();
    throw new CrucibleError(
      'not-found',
      `model ${name} is not served; served are ${known.length === 0 ? 'none yet' : known.join(', ')}`,
      { at: 'model' },
    );
  }

  /** What is known of one model, or of all. */
  info(name: string): MessageInitShape<typeof ModelInfoSchema>[] {
    const names = name === '' ? [...this.#served.keys()].sort() : [this.resolve(name).name];
    return names.map((one) => infoOf(this.#served.get(one)!));
  }

  /**
   * Swaps weights in; resolves when they serve. Repeating an update changes nothing. The adapter of a model is one of the
   * name `MODEL:ADAPTER`.
   */
  async update(update: WeightUpdate): Promise<MessageInitShape<typeof ModelInfoSchema>> {
    if (update.model === '') throw invalidInput('model is empty; it names the model to update', { at: 'model' });
    if (update.uri === '') throw invalidInput('uri is empty; it names the checkpoint folder', { at: 'uri' });
    if (update.version < 1) throw invalidInput('version is 0; versions count from 1', { at: 'version' });
    await this.#inTurn(update.model, () => this.#swap(update));
    return infoOf(this.#served.get(update.model)!);
  }

  /** Stops serving a name; `release` has the engine let go of it. */
  async remove(name: string, release: () => Promise<unknown>): Promise<void> {
    await this.#inTurn(name, async () => {
      if (!this.#served.delete(name)) return;
      await release();
      this.#options.log.info({ model: name }, 'no longer serving');
    });
  }

  /** Updates of one name follow one another. */
  async #inTurn(name: string, work: () => Promise<void>): Promise<void> {
    const before = this.#updating.get(name) ?? Promise.resolve();
    const own = before.catch(() => undefined).then(work);
    this.#updating.set(name, own);
    try {
      await own;
    } finally {
      if (this.#updating.get(name) === own) this.#updating.delete(name);
    }
  }

  async #swap({ model: name, version, uri, sha256, allowRollback }: WeightUpdate): Promise<void> {
    const { source, engine, kind, serves, log } = this.#options;
    const current = this.#served.get(name)?.model;
    if (current?.version === version) {
      if (sameFolder(current.uri, uri)) return;
      throw new CrucibleError('conflict', `${name}@${version} is served from ${current.uri} already`, { at: 'uri' });
    }
    if (current && version < current.version && !allowRollback) {
      throw new CrucibleError(
        'failed-precondition',
        `${name}@${current.version} is served, which is newer than ${version}; set allow_rollback to go back`,
        { at: 'version' },
      );
    }
    const found = source.open(uri);
    const base = baseOf(name);
    const wanted = base === undefined ? kind : 'adapter';
    if (found.kind !== wanted && !(base === undefined && serves?.(found))) {
      const held = found.kind === 'adapter' ? 'an adapter' : `a ${found.kind} model`;
      const needed = { language: 'a language model', scalar: 'a reward model', adapter: 'an adapter' }[wanted];
      throw invalidInput(`${uri} holds ${held}; ${needed} is needed`, { at: 'uri' });
    }
    const tokenizer = base === undefined ? '' : this.#find(base).model.tokenizerSha256;
    if (sha256 !== '' && sha256 !== found.sha256) {
      throw new CrucibleError('data-loss', `${uri}: the weights' digest is ${found.sha256}, announced was ${sha256}`, {
        at: 'sha256',
      });
    }
    const model = { ...found, name, version, tokenizerSha256: found.tokenizerSha256 || tokenizer };
    const loaded = await engine.load(model);
    this.#served.set(name, { model, loaded, loadedAt: new Date() });
    for (const gone of loaded.dropped ?? []) {
      this.#served.delete(gone);
      log.error({ model: gone }, 'an adapter does not fit the new weights and is no longer served');
    }
    log.info({ model: name, version, stage: model.stage }, 'serving new weights');
  }

  /** Follows a published version; one that cannot be served is logged, and the old weights go on. */
  async #follow(update: WeightUpdate): Promise<void> {
    const { log, source } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const name = this.#servedName(update.model, source.open(update.uri));
        if (name === undefined || update.version <= (this.#served.get(name)?.model.version ?? 0)) return;
        await this.update({ ...update, model: name });
        return;
      } catch (reason) {
        const { code, message } = CrucibleError.from(reason);
        // The engine died meanwhile; the next call waits until it is back.
        if (code === 'unavailable' && attempt < mostAttempts) continue;
        log[superseded.has(code) ? 'debug' : 'error'](
          { model: update.model, version: update.version, error: message },
          'published weights were not loaded',
        );
        return;
      }
    }
  }

  /** The name that a published model is served under; undefined where it is not for this service. */
  #servedName(name: string, model: ModelDescription): string | undefined {
    const { kind, parent } = model;
    if (kind === this.#options.kind || this.#options.serves?.(model)) return name;
    const base = parent?.split('@')[0];
    if (kind !== 'adapter' || this.#options.kind !== 'language' || base === undefined) return undefined;
    return this.#served.has(base) ? adapterName(base, name) : undefined;
  }

  /** What cannot be loaded again is no longer served; the others are. */
  async #reload(load: ModelEngine['load']): Promise<void> {
    for (const [name, { model }] of this.#served) {
      try {
        const loaded = await load(model);
        this.#served.set(name, { model, loaded, loadedAt: new Date() });
      } catch (reason) {
        const { code, message } = CrucibleError.from(reason);
        // The engine died once more: it is for the next one.
        if (code === 'unavailable') throw reason;
        this.#served.delete(name);
        this.#options.log.error({ model: name, version: model.version, error: message }, 'a model is no longer served');
      }
    }
  }
}

/** The name that a model with an adapter is served under. */
export function adapterName(model: string, adapter: string): string {
  return `${model}:${adapter}`;
}

/** The model that a name with an adapter is about; undefined for one without. */
function baseOf(name: string): string | undefined {
  const at = name.indexOf(':');
  return at === -1 ? undefined : name.slice(0, at);
}

function infoOf({ model, loaded, loadedAt }: Served): MessageInitShape<typeof ModelInfoSchema> {
  return {
    name: model.name,
    version: model.version,
    stage: model.stage,
    contextLength: loaded.contextLength,
    vocabularySize: loaded.vocabularySize,
    parameterCount: BigInt(loaded.parameterCount),
    tokenizerSha256: model.tokenizerSha256,
    uri: model.uri,
    loadedAt: timestampFromDate(loadedAt),
    endTokenIds: [...loaded.endTokenIds],
    device: loaded.device,
    kind: model.kind,
    labels: [...(loaded.labels ?? [])],
  };
}

function sameFolder(a: string, b: string): boolean {
  const path = (uri: string): string => resolve(uri.startsWith('file:') ? fileURLToPath(uri) : uri);
  return path(a) === path(b);
}

/** The engine process of the policy service: holds the weights and runs ONNX Runtime. */
import {
  assertAdapterFits,
  loadAdapter,
  loadLanguageModel,
  loadSpecialTokenIds,
  type ModelDescription,
  readServedKind,
} from '@crucible/checkpoint';
import { CrucibleError, throwIfCancelled } from '@crucible/foundation';
import {
  GenerationEngine,
  LogProbabilityScorer,
  packSequences,
  prepareAdapters,
  rowTime,
  type ServedAdapter,
  type ServedModel,
} from '@crucible/inference';
import type { DecoderConfig, ModelWeights, QuantizedWeights } from '@crucible/nn';
import { countParameters } from '@crucible/optim';
import { resolveSettings, serveWorker, TaskQueue } from '@crucible/service';
import type { LoadedModel, LoadMethod } from '@crucible/serving';
import { chooseDevice, useCompileCache } from '@crucible/tensor';
import { type Classifier, openClassifier, readLabels } from '@crucible/tuning';
import type { PolicyEngineMethods, SequenceScore, TokenChoice } from './engine-protocol.ts';

interface Loaded {
  readonly folder: string;
  readonly engine: GenerationEngine;
  readonly model: ModelDescription;
  /** Tokens that end an answer of the model itself. */
  readonly ends: readonly number[];
  readonly adapters: ReadonlyMap<string, LoadedAdapter>;
  /** By adapter; '' for none. Made when they are first needed. */
  readonly scorers: Map<string, LogProbabilityScorer>;
}

interface LoadedAdapter extends ServedAdapter {
  readonly folder: string;
}

/** Tokens of a conversation at most, whatever a model says of itself: attention takes memory for every pair of them. */
const longestContext = 4096;

const { device, cache } = resolveSettings();
useCompileCache(cache);

const loaded = new Map<string, Loaded>();
/** What tells labels apart, by whole names: at once for models that do nothing else, otherwise when it is first asked for. */
const classifiers = new Map<string, { readonly classifier: Classifier; readonly version: number }>();
/** Programs of scorers run one at a time, and are released when those before have ended. */
const scoring = new TaskQueue();
/** Loads follow one another: each begins with what those before have left. */
const loading = new TaskQueue();

serveWorker<PolicyEngineMethods>({
  open: () => chooseDevice(device),

  load: (args) =>
    loading.run(async () => {
      if (partsOf(args.name).adapter !== undefined) return loadOne(args);
      if (readServedKind(args.folder) === 'language') return loadWhole(args);
      return loadClassifier(args);
    }),

  unload: ({ name }) =>
    loading.run(async () => {
      const { model, adapter } = partsOf(name);
      const entry = loaded.get(model);
      if (!entry || adapter === undefined || !entry.adapters.has(adapter)) return null;
      const served = entry.engine.model!;
      const adapters = new Map(entry.adapters);
      adapters.delete(adapter);
      await serve(model, { ...entry, adapters }, served);
      forgetClassifier(name);
      return null;
    }),

  generate: async ({ name, maxTokens, ...request }, { signal, emit }) => {
    const { entry, adapter } = find(name);
    const stream = entry.engine.generate({
      ...request,
      signal,
      ...(adapter !== undefined && { adapter }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
    });
    await emit({ kind: 'started', version: stream.version });
    // Tokens that come while the last message is on its way go together in the next.
    let collected: TokenChoice[] = [];
    let sending: Promise<void> | undefined;
    const send = async (): Promise<void> => {
      while (collected.length > 0) {
        const tokens = collected;
        collected = [];
        await emit({ kind: 'tokens', tokens });
      }
    };
    for await (const token of stream.tokens) {
      collected.push(token);
      sending ??= send().finally(() => (sending = undefined));
    }
    await sending;
    await send();
    return { finish: await stream.finish };
  },

  score: async ({ name, sequences, temperature, alternatives }, { signal }) => {
    const { entry, adapter } = find(name);
    const { weights, config } = entry.engine.model!;
    const own = adapter === undefined ? undefined : entry.adapters.get(adapter)!;
    const version = own?.version ?? entry.engine.model!.version;
    const context = config.maxPositions - (own && own.config.kind !== 'lora' ? own.config.tokens : 0);
    const scorer = scorerOf(entry, own);
    const score = async (): Promise<SequenceScore[]> => {
      const scores: SequenceScore[] = [];
      const atOnce = 32;
      for (let first = 0; first < sequences.length; first += atOnce) {
        throwIfCancelled(signal, 'scoring');
        const part = sequences.slice(first, first + atOnce);
        scores.push(...(await scorePart(scorer, weights, context, part, temperature, alternatives)));
      }
      return scores;
    };
    return { version, scores: await scoring.run(score, signal) };
  },

  classify: ({ name, inputs }, { signal }) =>
    scoring.run(async () => {
      const { classifier, version } = await classifierOf(name);
      const probabilities: number[][] = [];
      const atOnce = 64;
      for (let first = 0; first < inputs.length; first += atOnce) {
        throwIfCancelled(signal, 'classification');
        probabilities.push(...(await classifier.predict(inputs.slice(first, first + atOnce))));
      }
      return { version, probabilities };
    }, signal),
});

/** Loads a model that only tells labels apart. */
async function loadClassifier({ name, version, folder }: LoadMethod['args']): Promise<LoadedModel> {
  const classifier = await openClassifier(folder);
  forgetClassifier(name);
  // A name may have been a language model's before.
  loaded.delete(name);
  classifiers.set(name, { classifier, version });
  const { contextLength, vocabularySize, parameterCount, labels } = classifier;
  const sizes = { contextLength, vocabularySize, parameterCount };
  return { ...sizes, labels, endTokenIds: [], device: 'cpu' };
}

/** Of a language model, or an adapter of one, it is opened when it is first asked for. */
async function classifierOf(name: string): Promise<{ readonly classifier: Classifier; readonly version: number }> {
  const known = classifiers.get(name);
  if (known) return known;
  const { entry, adapter } = find(name);
  const { weights, config, version, quantized } = entry.engine.model!;
  if ((quantized?.size ?? 0) > 0)
    throw new CrucibleError('unimplemented', `model ${name} has matrices of few bits, which do not classify`, {
      at: 'model',
    });
  const own = adapter === undefined ? undefined : entry.adapters.get(adapter)!;
  const base = { weights, config, folder: entry.folder };
  const opened = {
    classifier: await openClassifier(own?.folder ?? entry.folder, base),
    version: own?.version ?? version,
  };
  classifiers.set(name, opened);
  return opened;
}

/** Lets go of what answers for a name, and for its adapters where it is a model; calls that came before end first. */
function forgetClassifier(name: string): void {
  for (const [own, { classifier }] of classifiers) {
    if (own !== name && !own.startsWith(`${name}:`)) continue;
    classifiers.delete(own);
    void scoring.run(() => classifier.dispose());
  }
}

async function scorePart(
  scorer: LogProbabilityScorer,
  weights: ModelWeights,
  context: number,
  sequences: PolicyEngineMethods['score']['args']['sequences'],
  temperature: number,
  alternatives: number,
): Promise<SequenceScore[]> {
  const tokens = sequences.map(({ prompt, completion }) => [...prompt, ...completion]);
  const longest = Math.max(...tokens.map(({ length }) => length));
  const { packed, places } = packSequences(tokens, { time: rowTime(longest, context), pad: 0 });
  const at = sequences.flatMap(({ prompt, completion }, i) =>
    completion.map((_id, t) => places[i]![prompt.length - 1 + t]!),
  );
  const targets = sequences.flatMap(({ completion }) => completion);
  const values = await scorer.score(weights, packed, at, targets, temperature);
  const likely = alternatives > 0 ? await scorer.mostProbable(weights, packed, at, temperature, alternatives) : [];
  let next = 0;
  return sequences.map(({ completion }) => {
    const [first, last] = [next, (next += completion.length)];
    return { logProbabilities: [...values.subarray(first, last)], alternatives: likely.slice(first, last) };
  });
}

/** Loads a model; its adapters stay, and those that do not fit it are told. */
async function loadWhole({ name, version, folder }: LoadMethod['args']): Promise<LoadedModel> {
  const saved = loadLanguageModel(folder);
  const { weights, quantized } = saved;
  const model: ModelDescription = { kind: 'language', config: saved.config };
  const config = { ...saved.config, maxPositions: Math.min(saved.config.maxPositions, longestContext) };
  const before = loaded.get(name);
  const adapters = new Map<string, LoadedAdapter>();
  const dropped: string[] = [];
  for (const [own, adapter] of before?.adapters ?? []) {
    try {
      assertAdapterFits(adapter, model, adapter.folder);
      adapters.set(own, adapter);
    } catch {
      dropped.push(`${name}:${own}`);
    }
  }
  const ends = loadSpecialTokenIds(folder).eos ?? [];
  const old = before?.engine.model;
  // Matrices of few bits are parts of programs.
  const isWhole = quantized.size + (old?.quantized?.size ?? 0) === 0;
  const isSame = isWhole && JSON.stringify(old?.config) === JSON.stringify(config);
  const entry: Loaded = {
    folder,
    engine: before?.engine ?? new GenerationEngine({ device }),
    model,
    ends,
    adapters,
    scorers: isSame && before ? before.scorers : new Map<string, LogProbabilityScorer>(),
  };
  await serve(name, entry, { weights, quantized, config, version });
  forgetClassifier(name);
  if (before && !isSame) release(before.scorers.values());
  return {
    contextLength: config.maxPositions,
    vocabularySize: config.vocabularySize,
    parameterCount: countParameters(weights) + countQuantized(config, quantized),
    endTokenIds: ends,
    // Models of few bits do not classify.
    labels: quantized.size > 0 ? [] : readLabels(folder),
    device: (await chooseDevice(device)).device,
    dropped,
  };
}

/** Loads an adapter of a model that is there, in the place of one of the same name. */
async function loadOne({ name: whole, version, folder }: LoadMethod['args']): Promise<LoadedModel> {
  const { model: name, adapter: own } = partsOf(whole);
  const entry = loaded.get(name);
  if (!entry || own === undefined) throw notLoaded(name);
  const served = entry.engine.model!;
  const { weights, config } = served;
  const adapter = { ...loadAdapter(folder, entry.model), name: own, version, folder };
  const adapters = new Map(entry.adapters).set(own, adapter);
  await serve(name, { ...entry, adapters }, served);
  forgetClassifier(whole);
  const virtual = adapter.config.kind === 'lora' ? 0 : adapter.config.tokens;
  return {
    contextLength: config.maxPositions - virtual,
    vocabularySize: config.vocabularySize,
    parameterCount:
      countParameters(weights) +
      countQuantized(config, served.quantized ?? new Map()) +
      countParameters(adapter.parameters),
    endTokenIds: loadSpecialTokenIds(folder).eos ?? entry.ends,
    labels: readLabels(folder),
    device: (await chooseDevice(device)).device,
  };
}

/** Serves new calls from a model with its adapters; those that came before end with what they began with. */
async function serve(name: string, entry: Loaded, model: ServedModel): Promise<void> {
  const adapters = await prepareAdapters([...entry.adapters.values()], model);
  entry.engine.setModel({ ...model, adapters });
  const before = loaded.get(name);
  loaded.set(name, entry);
  // An adapter that has changed or gone: its scorer is made for the old one's parameters.
  for (const [own, scorer] of entry.scorers) {
    if (own === '' || before?.adapters.get(own) === entry.adapters.get(own)) continue;
    entry.scorers.delete(own);
    release([scorer]);
  }
}

function release(scorers: Iterable<LogProbabilityScorer>): void {
  for (const scorer of scorers) void scoring.run(() => scorer.dispose());
}

function scorerOf({ scorers, engine }: Loaded, adapter: LoadedAdapter | undefined): LogProbabilityScorer {
  const key = adapter?.name ?? '';
  const { weights, config, quantized = new Map() } = engine.model!;
  let scorer = scorers.get(key);
  if (!scorer) {
    scorer = new LogProbabilityScorer(weights, config, { quantized, device, ...(adapter && { adapter }) });
    scorers.set(key, scorer);
  }
  return scorer;
}

/** Numbers in matrices of few bits; one of a head that is tied is there once more, and counts once. */
function countQuantized({ tieEmbeddings }: DecoderConfig, quantized: QuantizedWeights): number {
  let count = 0;
  for (const [module, { rows, columns }] of quantized)
    if (module !== 'lm_head' || !tieEmbeddings) count += rows * columns;
  return count;
}

function partsOf(name: string): { readonly model: string; readonly adapter: string | undefined } {
  const [model = '', adapter] = name.split(':');
  return { model, adapter };
}

function find(name: string): { readonly entry: Loaded; readonly adapter: string | undefined } {
  const { model, adapter } = partsOf(name);
  const entry = loaded.get(model);
  if (!entry || (adapter !== undefined && !entry.adapters.has(adapter))) throw notLoaded(name);
  return { entry, adapter };
}

function notLoaded(name: string): CrucibleError {
  return new CrucibleError('not-found', `model ${name} is not loaded`, { at: 'model' });
}

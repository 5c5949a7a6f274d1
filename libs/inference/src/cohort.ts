import { CrucibleError } from '@crucible/foundation';
import type { ModelWeights, DecoderConfig, QuantizedWeights } from '@crucible/nn';
import { type Device, floats, ints, type NdArray, PlacedTree } from '@crucible/tensor';
import { batchBucket, nextPowerOfTwo, timeBucket } from './buckets.ts';
import type { FinishReason, GeneratedToken, ResolvedRequest } from './generation.ts';
import { DeviceKeyValueCache } from './device-key-value-cache.ts';
import { KeyValueCache } from './key-value-cache.ts';
import type { KeyValueStore } from './key-value-store.ts';
import type { LanguagePrograms } from './language-programs.ts';
import { type AdapterSet, noAdapters, type PrefixArrays } from './served-adapters.ts';
import { chooseToken, isPlain, topTokens, uniformAt } from './sampling.ts';

export interface ServedModel {
  readonly weights: ModelWeights;
  readonly config: DecoderConfig;
  readonly version: number;
  /** Matrices of few bits, which are not among the weights. Default: none. */
  readonly quantized?: QuantizedWeights;
  /** What requests may ask for. Default: none. */
  readonly adapters?: AdapterSet;
}

/** A request being answered. */
export interface Sequence {
  readonly request: ResolvedRequest;
  readonly deliver: (token: GeneratedToken) => void;
  readonly finish: (reason: FinishReason) => void;
  readonly fail: (reason: unknown) => void;
  generated: number;
  lastToken: number;
}

/** Prompts of one pass, and tokens of one pass counted with padding. */
const prefillRows = 64;
const prefillTokens = 4096;

/**
 * The sequences that one set of weights is answering, decoded together: each turn takes in what waits, then makes one
 * token for every sequence.
 */
export class Cohort {
  readonly model: ServedModel;
  readonly #programs: LanguagePrograms;
  readonly #weights = new PlacedTree<ModelWeights>();
  readonly #factors = new PlacedTree<AdapterSet['factors']>();
  readonly #adapters: AdapterSet;
  #place: { readonly device: Device; readonly cache: KeyValueStore } | undefined;
  /** Sequence i owns row i of the cache. */
  readonly #active: Sequence[] = [];

  constructor(model: ServedModel, programs: LanguagePrograms) {
    this.model = model;
    this.#programs = programs;
    this.#adapters = model.adapters ?? noAdapters;
  }

  get size(): number {
    return this.#active.length;
  }

  async #open() {
    const { config, weights } = this.model;
    if (!this.#place) {
      const { device, cache } = await this.#programs.place();
      this.#place = {
        device,
        cache: cache ? new DeviceKeyValueCache(config, device, cache) : new KeyValueCache(config),
      };
    }
    const { device, cache } = this.#place;
    return {
      cache,
      weights: await this.#weights.place(weights, device),
      factors: await this.#factors.place(this.#adapters.factors, device),
    };
  }

  /** Releases what is on the device. */
  dispose(): void {
    this.#weights.dispose();
    this.#factors.dispose();
    this.#place?.cache.dispose();
    this.#place = undefined;
  }

  /** Tokens of the context that an adapter takes; throws where there is no such adapter. */
  virtualTokens(adapter: string | undefined): number {
    if (adapter === undefined) return 0;
    if (!this.#adapters.versions.has(adapter))
      throw new CrucibleError('not-found', `adapter ${adapter} is not loaded`, { at: 'adapter' });
    return this.#prefix(adapter)?.keys[0]!.shape[2] ?? 0;
  }

  /** The version of what answers: the adapter's, where one is asked for. */
  versionOf(adapter: string | undefined): number {
    return (adapter === undefined ? undefined : this.#adapters.versions.get(adapter)) ?? this.model.version;
  }

  #prefix(adapter: string | undefined): PrefixArrays | undefined {
    return adapter === undefined ? undefined : this.#adapters.prefixes.get(adapter);
  }

  /** Reads the prompts of new sequences, a prompt of several once, and makes their first tokens. */
  async admit(sequences: readonly Sequence[]): Promise<void> {
    const { cache } = await this.#open();
    if (this.#active.length === 0) cache.clear();
    const longest = Math.max(...sequences.map(({ request }) => this.#promptLength(request)));
    cache.reserve(batchBucket(this.#active.length + sequences.length), longest + 1);
    // A pass has the virtual tokens of one adapter, or none.
    const byPrefix = Map.groupBy(sequences, ({ request }) => this.#prefix(request.adapter));
    for (const [prefix, group] of byPrefix) await this.#admitBehind(prefix, group);
  }

  async #admitBehind(prefix: PrefixArrays | undefined, sequences: readonly Sequence[]): Promise<void> {
    // Prompts of like length share a pass, so that padding stays small.
    const asked = byPrompt(sequences).sort((a, b) => a.prompt.length - b.prompt.length);
    const room = this.model.config.maxPositions - (prefix?.keys[0]!.shape[2] ?? 0);
    while (asked.length > 0) {
      const longest = (count: number): number => timeBucket(asked[count - 1]!.prompt.length, room);
      let count = 1;
      while (count < Math.min(asked.length, prefillRows) && longest(count + 1) * (count + 1) <= prefillTokens) count++;
      const time = longest(count);
      await this.#prefill(asked.splice(0, count), time, prefix);
    }
  }

  #promptLength({ prompt, adapter }: ResolvedRequest): number {
    return prompt.length + this.virtualTokens(adapter);
  }

  async #prefill(asked: readonly Asked[], time: number, prefix: PrefixArrays | undefined): Promise<void> {
    const sequences = asked.flatMap((one) => one.sequences);
    const rowOf = asked.flatMap((one, row) => one.sequences.map(() => row));
    const rows = nextPowerOfTwo(asked.length);
    const batch = nextPowerOfTwo(sequences.length);
    const ids = new Int32Array(rows * time);
    const last = new Int32Array(batch);
    asked.forEach(({ prompt }, row) => ids.set(prompt, row * time));
    sequences.forEach(({ request: { prompt } }, i) => (last[i] = rowOf[i]! * time + prompt.length - 1));
    const sampled = sampledInGraph(sequences);
    const virtual = prefix?.keys[0]!.shape[2] ?? 0;
    const program = await this.#programs.prefill.get(rows, time, batch, Number(sampled), virtual);
    const { cache, weights, factors } = await this.#open();
    const results = await program.run({
      weights,
      factors,
      gates: this.#gates(
        asked.map(({ adapter }) => adapter),
        rows,
      ),
      prefix: prefix ?? { keys: [], values: [] },
      ids: ints([rows, time], ids),
      last: ints([batch], last),
      ...controls(sequences, batch),
    });
    const tokens = tokensOf(sequences, results);
    const entries = sequences.map(({ request: { prompt } }, i) => {
      return { row: this.#active.length + i, length: prompt.length, from: rowOf[i]! };
    });
    if (prefix) {
      const virtualTokens = entries.map(({ row }) => ({ row, length: virtual, from: 0 }));
      await cache.fill(virtualTokens, prefix);
    }
    await cache.fill(entries, results, virtual);
    sequences.forEach((sequence, i) => {
      this.#active.push(sequence);
      this.#take(sequence, tokens[i]!);
    });
    this.#removeFinished();
  }

  /** What of the joined adapters each row sees; the rows that are padding see nothing. */
  #gates(adapters: readonly (string | undefined)[], rows: number): NdArray[] {
    const { rank, openGate } = this.#adapters;
    if (rank === 0) return [];
    const gates = new Float32Array(rows * rank);
    adapters.forEach((adapter, row) => openGate(gates.subarray(row * rank, (row + 1) * rank), adapter));
    return [floats([rows, 1, rank], gates)];
  }

  /** One more token for every sequence. */
  async step(): Promise<void> {
    this.#removeFinished();
    const sequences = [...this.#active];
    if (sequences.length === 0) return;
    const lengths = sequences.map((sequence) => this.#cachedLength(sequence));
    const { cache, weights, factors } = await this.#open();
    const batch = batchBucket(sequences.length);
    cache.reserve(batch, Math.max(...lengths) + 1);
    const sampled = sampledInGraph(sequences);
    const program = await this.#programs.step.get(batch, cache.capacity, Number(sampled));
    const results = await program.run({
      weights,
      factors,
      gates: this.#gates(
        sequences.map(({ request }) => request.adapter),
        batch,
      ),
      ids: ints(
        [batch],
        padded(
          sequences.map(({ lastToken }) => lastToken),
          batch,
        ),
      ),
      lengths: ints([batch], padded(lengths, batch)),
      ...(await cache.view(batch)),
      ...controls(sequences, batch),
    });
    const tokens = tokensOf(sequences, results);
    cache.append(lengths, results);
    sequences.forEach((sequence, row) => this.#take(sequence, tokens[row]!));
    this.#removeFinished();
  }

  /** The newest token is not in the cache yet: it goes in as it is read. */
  #cachedLength({ request, generated }: Sequence): number {
    return this.#promptLength(request) + generated - 1;
  }

  /** Ends every sequence with an error. */
  failAll(reason: unknown): void {
    for (const sequence of this.#active.splice(0)) sequence.fail(reason);
  }

  #take(sequence: Sequence, token: GeneratedToken): void {
    sequence.generated++;
    sequence.lastToken = token.id;
    sequence.deliver(token);
  }

  #removeFinished(): void {
    for (let row = this.#active.length - 1; row >= 0; row--) {
      const sequence = this.#active[row]!;
      const reason = finishReason(sequence);
      if (!reason) continue;
      const last = this.#active.pop()!;
      if (last !== sequence) {
        this.#active[row] = last;
        this.#place!.cache.move(this.#active.length, row);
      }
      sequence.finish(reason);
    }
  }
}

/** Sequences that answer the same prompt with the same adapter. */
interface Asked {
  readonly prompt: readonly number[];
  readonly adapter: string | undefined;
  readonly sequences: readonly Sequence[];
}

function byPrompt(sequences: readonly Sequence[]): Asked[] {
  const groups = Map.groupBy(sequences, ({ request }) => `${request.prompt.join()} ${request.adapter ?? ''}`);
  return Array.from(groups.values(), (group) => {
    const { prompt, adapter } = group[0]!.request;
    return { prompt, adapter, sequences: group };
  });
}

function finishReason({ request, generated, lastToken }: Sequence): FinishReason | undefined {
  if (generated > 0 && request.stopTokens.has(lastToken)) return 'stop';
  if (generated >= request.maxTokens) return 'length';
  return request.signal?.aborted ? 'cancelled' : undefined;
}

function sampledInGraph(sequences: readonly Sequence[]): boolean {
  return sequences.every(({ request }) => request.alternatives === 0 && isPlain(request.sampling));
}

function controls(sequences: readonly Sequence[], batch: number): { temperature: NdArray; uniform: NdArray } {
  const temperature = new Float32Array(batch).fill(1);
  const uniform = new Float32Array(batch);
  sequences.forEach(({ request, generated }, row) => {
    temperature[row] = request.sampling.temperature;
    uniform[row] = uniformAt(request.sampling.seed, generated);
  });
  return { temperature: floats([batch], temperature), uniform: floats([batch], uniform) };
}

function tokensOf(
  sequences: readonly Sequence[],
  { chosen, logits }: { readonly chosen: readonly NdArray[]; readonly logits: readonly NdArray[] },
): GeneratedToken[] {
  const [ids, logProbabilities] = chosen;
  if (ids && logProbabilities) {
    return sequences.map((_sequence, row) => {
      return { id: ids.data[row]!, logProbability: logProbabilities.data[row]!, alternatives: [] };
    });
  }
  const [batch] = logits;
  const vocabulary = batch!.shape[1]!;
  return sequences.map(({ request, generated }, row) => {
    const own = (batch!.data as Float32Array).subarray(row * vocabulary, (row + 1) * vocabulary);
    const { sampling, alternatives } = request;
    const token = chooseToken(own, sampling, uniformAt(sampling.seed, generated));
    return { ...token, alternatives: alternatives > 0 ? topTokens(own, sampling.temperature, alternatives) : [] };
  });
}

function padded(values: readonly number[], length: number): Int32Array {
  const result = new Int32Array(length);
  result.set(values);
  return result;
}

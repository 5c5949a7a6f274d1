import type { ModelWeights, DecoderConfig } from '@crucible/nn';
import { floats, ints, type NdArray } from '@crucible/tensor';
import { batchBucket, nextPowerOfTwo, timeBucket } from './buckets.ts';
import type { FinishReason, GeneratedToken, ResolvedRequest } from './generation.ts';
import { KeyValueCache } from './key-value-cache.ts';
import type { LanguagePrograms } from './language-programs.ts';
import { chooseToken, isPlain, topTokens, uniformAt } from './sampling.ts';

export interface ServedModel {
  readonly weights: ModelWeights;
  readonly config: DecoderConfig;
  readonly version: number;
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
  readonly #cache: KeyValueCache;
  /** Sequence i owns row i of the cache. */
  readonly #active: Sequence[] = [];

  constructor(model: ServedModel, programs: LanguagePrograms) {
    this.model = model;
    this.#programs = programs;
    this.#cache = new KeyValueCache(model.config);
  }

  get size(): number {
    return this.#active.length;
  }

  /** Reads the prompts of new sequences, a prompt of several once, and makes their first tokens. */
  async admit(sequences: readonly Sequence[]): Promise<void> {
    // Prompts of like length share a pass, so that padding stays small.
    if (this.#active.length === 0) this.#cache.clear();
    const asked = byPrompt(sequences).sort((a, b) => a.prompt.length - b.prompt.length);
    this.#cache.reserve(batchBucket(this.#active.length + sequences.length), asked.at(-1)!.prompt.length + 1);
    while (asked.length > 0) {
      const longest = (count: number): number =>
        timeBucket(asked[count - 1]!.prompt.length, this.model.config.maxPositions);
      let count = 1;
      while (count < Math.min(asked.length, prefillRows) && longest(count + 1) * (count + 1) <= prefillTokens) count++;
      const time = longest(count);
      await this.#prefill(asked.splice(0, count), time);
    }
  }

  async #prefill(asked: readonly Asked[], time: number): Promise<void> {
    const sequences = asked.flatMap((one) => one.sequences);
    const rowOf = asked.flatMap((one, row) => one.sequences.map(() => row));
    const rows = nextPowerOfTwo(asked.length);
    const batch = nextPowerOfTwo(sequences.length);
    const ids = new Int32Array(rows * time);
    const last = new Int32Array(batch);
    asked.forEach(({ prompt }, row) => ids.set(prompt, row * time));
    sequences.forEach(({ request: { prompt } }, i) => (last[i] = rowOf[i]! * time + prompt.length - 1));
    const sampled = sampledInGraph(sequences);
    const program = await this.#programs.prefill.get(rows, time, batch, Number(sampled));
    const results = await program.run({
      weights: this.model.weights,
      ids: ints([rows, time], ids),
      last: ints([batch], last),
      ...controls(sequences, batch),
    });
    const tokens = tokensOf(sequences, results);
    sequences.forEach((sequence, i) => {
      this.#cache.fill(this.#active.length, sequence.request.prompt.length, rowOf[i]!, results.keys, results.values);
      this.#active.push(sequence);
      this.#take(sequence, tokens[i]!);
    });
    this.#removeFinished();
  }

  /** One more token for every sequence. */
  async step(): Promise<void> {
    this.#removeFinished();
    const sequences = [...this.#active];
    if (sequences.length === 0) return;
    const lengths = sequences.map(cachedLength);
    this.#cache.reserve(sequences.length, Math.max(...lengths) + 1);
    const batch = batchBucket(sequences.length);
    this.#cache.reserve(batch, 1);
    const sampled = sampledInGraph(sequences);
    const program = await this.#programs.step.get(batch, this.#cache.capacity, Number(sampled));
    const results = await program.run({
      weights: this.model.weights,
      ids: ints(
        [batch],
        padded(
          sequences.map(({ lastToken }) => lastToken),
          batch,
        ),
      ),
      lengths: ints([batch], padded(lengths, batch)),
      ...this.#cache.view(batch),
      ...controls(sequences, batch),
    });
    const tokens = tokensOf(sequences, results);
    sequences.forEach((sequence, row) => {
      this.#cache.append(row, lengths[row]!, row, results.keys, results.values);
      this.#take(sequence, tokens[row]!);
    });
    this.#removeFinished();
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
        this.#cache.move(this.#active.length, row);
      }
      sequence.finish(reason);
    }
  }
}

/** Sequences that answer the same prompt. */
interface Asked {
  readonly prompt: readonly number[];
  readonly sequences: readonly Sequence[];
}

function byPrompt(sequences: readonly Sequence[]): Asked[] {
  const groups = Map.groupBy(sequences, ({ request }) => request.prompt.join());
  return [...groups.values()].map((group) => ({ prompt: group[0]!.request.prompt, sequences: group }));
}

function finishReason({ request, generated, lastToken }: Sequence): FinishReason | undefined {
  if (generated > 0 && request.stopTokens.has(lastToken)) return 'stop';
  if (generated >= request.maxTokens) return 'length';
  return request.signal?.aborted ? 'cancelled' : undefined;
}

/** The newest token is not in the cache yet: it goes in as it is read. */
function cachedLength({ request, generated }: Sequence): number {
  return request.prompt.length + generated - 1;
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

/**
 * Answers many requests at once: sequences of different lengths are decoded together and come and go at every step
 * (continuous batching, Yu et al. 2022, Orca). New weights serve new requests at once; those made before, waiting ones
 * too, are answered by the weights that were newest then. Runs ONNX Runtime on the calling thread: host it in a process
 * of its own.
 */
import { CrucibleError } from '@crucible/foundation';
import { flatten, isNdArray, shapesEqual } from '@crucible/tensor';
import { Cohort, type Sequence, type ServedModel } from './cohort.ts';
import {
  type FinishReason,
  type GeneratedToken,
  type Generation,
  type GenerationRequest,
  type ResolvedRequest,
  resolveRequest,
} from './generation.ts';
import { createLanguagePrograms, type LanguagePrograms, type ProgramOptions } from './language-programs.ts';

/** Sequences to decode at once where only how long all of them take matters. */
export const throughputBatch = 256;

export interface GenerationEngineOptions extends ProgramOptions {
  /** Sequences decoded at once; more wait. Default: 64, which keeps answers that people wait for quick. */
  readonly maxBatch?: number;
  /** Requests that may wait; beyond, they are refused. Default: 1024. */
  readonly maxWaiting?: number;
}

/** An answer as it comes: its tokens, then how it ended. */
export interface GenerationStream {
  /** Version of the weights that the whole answer comes from. */
  readonly version: number;
  readonly tokens: AsyncIterable<GeneratedToken>;
  /** Settles after the last token; rejects when the engine failed. */
  readonly finish: Promise<FinishReason>;
}

/** A set of weights, and the programs that run it, which sets of the same shapes share. */
interface Served {
  readonly cohort: Cohort;
  readonly programs: LanguagePrograms;
}

export class GenerationEngine {
  readonly #options: GenerationEngineOptions;
  /** Newest last; older ones only answer what was asked of them. */
  readonly #cohorts: Served[] = [];
  readonly #waiting: { readonly sequence: Sequence; readonly cohort: Cohort }[] = [];
  #running: Promise<void> | undefined;
  #disposed = false;

  constructor(options: GenerationEngineOptions = {}) {
    this.#options = options;
  }

  get model(): ServedModel | undefined {
    return this.#cohorts.at(-1)?.cohort.model;
  }

  /** Sequences being decoded, and requests waiting for a place. */
  get load(): { readonly active: number; readonly waiting: number } {
    return { active: this.#cohorts.reduce((sum, { cohort }) => sum + cohort.size, 0), waiting: this.#waiting.length };
  }

  /** Serves new requests from `model`, from now on. Programs are kept when the shapes are the same. */
  setModel(model: ServedModel): void {
    const current = this.#cohorts.at(-1);
    const programs =
      current && sameShapes(current.cohort.model, model)
        ? current.programs
        : createLanguagePrograms(model, this.#options);
    this.#cohorts.push({ cohort: new Cohort(model, programs), programs });
    // A run that is under way may hold what looks idle from here; it retires weights itself.
    if (!this.#running) void this.#retire();
  }

  /** Begins an answer. Throws at once when the request is wrong, no model is loaded, or too many wait. */
  generate(request: GenerationRequest): GenerationStream {
    const cohort = this.#newest();
    const resolved = resolveRequest(request, cohort.model.config, cohort.virtualTokens(request.adapter));
    if (this.#waiting.length >= (this.#options.maxWaiting ?? 1024)) {
      throw new CrucibleError(
        'resource-exhausted',
        `${this.#waiting.length} requests are waiting already; try again later`,
      );
    }
    return this.#begin(resolved, cohort);
  }

  /** Answers all requests, however many, and returns them in order. Begins with none when one of them is wrong. */
  async generateAll(requests: readonly GenerationRequest[]): Promise<Generation[]> {
    const cohort = this.#newest();
    const resolved = requests.map((request) =>
      resolveRequest(request, cohort.model.config, cohort.virtualTokens(request.adapter)),
    );
    // Short prompts first: the room that the longest takes is then taken for few others.
    const order = resolved.map((_request, i) => i).sort((a, b) => lengthOf(resolved[a]!) - lengthOf(resolved[b]!));
    const streams = new Array<GenerationStream>(resolved.length);
    for (const i of order) streams[i] = this.#begin(resolved[i]!, cohort);
    return Promise.all(
      streams.map(async ({ version, tokens, finish }) => {
        const collected: GeneratedToken[] = [];
        for await (const token of tokens) collected.push(token);
        return { version, tokens: collected, finish: await finish };
      }),
    );
  }

  /** Ends what is running with an error and releases the programs. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#failAll();
    await this.#running;
    // What was being taken in meanwhile.
    this.#failAll();
    for (const { cohort } of this.#cohorts) cohort.dispose();
    for (const programs of new Set(this.#cohorts.map((entry) => entry.programs))) await programs.dispose();
    this.#cohorts.length = 0;
  }

  #failAll(): void {
    const stopped = new CrucibleError('unavailable', 'the engine was stopped');
    for (const { sequence } of this.#waiting.splice(0)) sequence.fail(stopped);
    for (const { cohort } of this.#cohorts) cohort.failAll(stopped);
  }

  #newest(): Cohort {
    if (this.#disposed) throw new CrucibleError('unavailable', 'the engine was stopped');
    const newest = this.#cohorts.at(-1);
    if (!newest) throw new CrucibleError('failed-precondition', 'no model is loaded yet');
    return newest.cohort;
  }

  #begin(request: ResolvedRequest, cohort: Cohort): GenerationStream {
    const queue = new TokenQueue();
    const finish = new Promise<FinishReason>((resolve, reject) => {
      const sequence: Sequence = {
        request,
        generated: 0,
        lastToken: -1,
        deliver: (token) => queue.push(token),
        finish: (reason) => {
          queue.end();
          resolve(reason);
        },
        fail: (reason) => {
          const error = CrucibleError.from(reason);
          queue.end(error);
          reject(error);
        },
      };
      this.#waiting.push({ sequence, cohort });
    });
    // Who only reads the tokens learns of a failure there.
    finish.catch(() => undefined);
    this.#start();
    return { version: cohort.versionOf(request.adapter), tokens: queue, finish };
  }

  #start(): void {
    // In the next microtask, so that what is asked in one go is taken in together.
    this.#running ??= Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = undefined;
        if (this.#waiting.length > 0 && !this.#disposed) this.#start();
      });
  }

  async #run(): Promise<void> {
    while (!this.#disposed && (this.#waiting.length > 0 || this.load.active > 0)) {
      this.#dropCancelled();
      await this.#admitWaiting();
      for (const { cohort } of [...this.#cohorts]) {
        try {
          await cohort.step();
        } catch (reason) {
          cohort.failAll(reason);
        }
      }
      await this.#retire();
    }
  }

  /** Requests that were given up while they waited hold no place in the queue. */
  #dropCancelled(): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.sequence.request.signal?.aborted) waiting.sequence.finish('cancelled');
      else this.#waiting.push(waiting);
    }
  }

  async #admitWaiting(): Promise<void> {
    const { maxBatch = 64 } = this.#options;
    const room = maxBatch - this.load.active;
    // Reading a few prompts takes nearly as long as reading one: places are filled several at a time.
    if (room < Math.min(this.#waiting.length, Math.ceil(maxBatch / 8))) return;
    const admitted = Map.groupBy(this.#waiting.splice(0, Math.max(0, room)), ({ cohort }) => cohort);
    for (const [cohort, entries] of admitted) {
      const sequences = entries.map(({ sequence }) => sequence);
      try {
        await cohort.admit(sequences);
      } catch (reason) {
        for (const sequence of sequences) sequence.fail(reason);
        cohort.failAll(reason);
      }
    }
  }

  /** Lets go of older weights that no answer needs any more. */
  async #retire(): Promise<void> {
    const newest = this.#cohorts.at(-1)?.cohort;
    const { needed = [], idle = [] } = Object.groupBy(this.#cohorts, ({ cohort }) =>
      cohort === newest || cohort.size > 0 || this.#waiting.some((waiting) => waiting.cohort === cohort)
        ? 'needed'
        : 'idle',
    );
    this.#cohorts.splice(0, this.#cohorts.length, ...needed);
    for (const { cohort } of idle) cohort.dispose();
    const kept = new Set(needed.map(({ programs }) => programs));
    for (const programs of new Set(idle.map((entry) => entry.programs)))
      if (!kept.has(programs)) await programs.dispose();
  }
}

function lengthOf({ prompt }: ResolvedRequest): number {
  return prompt.length;
}

function sameShapes(a: ServedModel, b: ServedModel): boolean {
  if (JSON.stringify(a.config) !== JSON.stringify(b.config)) return false;
  // Matrices of few bits are parts of programs.
  if (a.quantized !== b.quantized) return false;
  const leavesOf = ({ weights, adapters }: ServedModel) =>
    flatten({ weights, factors: adapters?.factors ?? {} }, isNdArray);
  const [left, right] = [leavesOf(a), leavesOf(b)];
  return (
    left.length === right.length &&
    left.every(({ path, leaf }, i) => path === right[i]!.path && shapesEqual(leaf.shape, right[i]!.leaf.shape))
  );
}

/** Tokens between the engine and one reader. */
class TokenQueue implements AsyncIterable<GeneratedToken> {
  readonly #tokens: GeneratedToken[] = [];
  #ended: { readonly error: CrucibleError | undefined } | undefined;
  #wake: (() => void) | undefined;

  push(token: GeneratedToken): void {
    this.#tokens.push(token);
    this.#wake?.();
  }

  end(error?: CrucibleError): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken> {
    for (let next = 0; ;) {
      while (next < this.#tokens.length) yield this.#tokens[next++]!;
      if (this.#ended) {
        if (this.#ended.error) throw this.#ended.error;
        return;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}

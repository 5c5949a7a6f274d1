/**
 * Answers many requests at once: sequences of different lengths are decoded together and come and go at every step
 * (continuous batching, Yu et al. 2022, Orca). New weights serve new requests at once; answers that have begun finish
 * on the weights they began with. Runs ONNX Runtime on the calling thread: host it in a process of its own.
 */
import { CrucibleError } from '@crucible/foundation';
import { flatten, isNdArray, shapesEqual } from '@crucible/tensor';
import { Cohort, type Sequence, type ServedModel } from './cohort.ts';
import {
  type FinishReason,
  type GeneratedToken,
  type Generation,
  type GenerationRequest,
  resolveRequest,
} from './generation.ts';
import { createLanguagePrograms, type LanguagePrograms, type ProgramOptions } from './language-programs.ts';

export interface GenerationEngineOptions extends ProgramOptions {
  /** Sequences decoded at once; more wait. Default: 64. */
  readonly maxBatch?: number;
  /** Requests that may wait; beyond, they are refused. Default: 1024. */
  readonly maxWaiting?: number;
}

/** An answer as it comes: its tokens, then how it ended. */
export interface GenerationStream {
  readonly version: number;
  readonly tokens: AsyncIterable<GeneratedToken>;
  /** Settles after the last token; rejects when the engine failed. */
  readonly finish: Promise<FinishReason>;
}

export class GenerationEngine {
  readonly #options: GenerationEngineOptions;
  /** Newest last; older ones only finish what they began. */
  readonly #cohorts: { readonly cohort: Cohort; readonly programs: LanguagePrograms }[] = [];
  readonly #waiting: Sequence[] = [];
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
        : createLanguagePrograms(model.weights, model.config, this.#options);
    this.#cohorts.push({ cohort: new Cohort(model, programs), programs });
    void this.#retire();
  }

  /** Begins an answer. Throws at once when the request is wrong, no model is loaded, or too many wait. */
  generate(request: GenerationRequest): GenerationStream {
    const model = this.model;
    if (!model || this.#disposed) throw new CrucibleError('failed-precondition', 'no model is loaded yet');
    const resolved = resolveRequest(request, model.config);
    if (this.#waiting.length >= (this.#options.maxWaiting ?? 1024)) {
      throw new CrucibleError(
        'resource-exhausted',
        `${this.#waiting.length} requests are waiting already; try again later`,
      );
    }
    const queue = new TokenQueue();
    const finish = new Promise<FinishReason>((resolve, reject) => {
      this.#waiting.push({
        request: resolved,
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
      });
    });
    // Who only reads the tokens learns of a failure there.
    finish.catch(() => undefined);
    this.#start();
    return { version: model.version, tokens: queue, finish };
  }

  /** Answers all requests and returns them in order. */
  async generateAll(requests: readonly GenerationRequest[]): Promise<Generation[]> {
    const streams = requests.map((request) => this.generate(request));
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
    const stopped = new CrucibleError('unavailable', 'the engine was stopped');
    for (const sequence of this.#waiting.splice(0)) sequence.fail(stopped);
    for (const { cohort } of this.#cohorts) cohort.failAll(stopped);
    await this.#running;
    for (const programs of new Set(this.#cohorts.map((entry) => entry.programs))) await disposePrograms(programs);
    this.#cohorts.length = 0;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0 && !this.#disposed) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (!this.#disposed && (this.#waiting.length > 0 || this.load.active > 0)) {
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

  async #admitWaiting(): Promise<void> {
    const newest = this.#cohorts.at(-1);
    const room = (this.#options.maxBatch ?? 64) - this.load.active;
    const admitted = this.#waiting.splice(0, Math.max(0, room)).filter((sequence) => {
      if (sequence.request.signal?.aborted) sequence.finish('cancelled');
      return !sequence.request.signal?.aborted;
    });
    if (!newest || admitted.length === 0) return;
    try {
      await newest.cohort.admit(admitted);
    } catch (reason) {
      for (const sequence of admitted) sequence.fail(reason);
      newest.cohort.failAll(reason);
    }
  }

  /** Lets go of older weights that no answer needs any more. */
  async #retire(): Promise<void> {
    for (let i = this.#cohorts.length - 2; i >= 0; i--) {
      const { cohort, programs } = this.#cohorts[i]!;
      if (cohort.size > 0) continue;
      this.#cohorts.splice(i, 1);
      if (!this.#cohorts.some((other) => other.programs === programs)) await disposePrograms(programs);
    }
  }
}

async function disposePrograms({ prefill, step }: LanguagePrograms): Promise<void> {
  await prefill.dispose();
  await step.dispose();
}

function sameShapes(a: ServedModel, b: ServedModel): boolean {
  if (JSON.stringify(a.config) !== JSON.stringify(b.config)) return false;
  const [left, right] = [flatten(a.weights, isNdArray), flatten(b.weights, isNdArray)];
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

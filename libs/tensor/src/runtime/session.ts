/** The only file that knows ONNX Runtime. `run` and session creation block the thread: see docs/architecture.md. */
import { CrucibleError } from '@crucible/foundation';
import * as ort from 'onnxruntime-node';
import type { DType, HostArrays } from '../dtype.ts';
import type { NdArray } from '../nd-array.ts';

type Device = 'cpu';

export const onnxRuntimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

export interface SessionOptions {
  /** Where the program runs. Default: `cpu`. */
  readonly device?: Device;
  /** Threads within an operator. Default: one per core. */
  readonly threads?: number;
  /** Writes a profile of every operator to this path prefix (Chrome trace format). */
  readonly profile?: string;
}

const sessionSettings = {
  // Masked places of a softmax come out as denormal numbers, with which Intel's vector units take a hundred times as
  // long: attention with a mask then costs more than all matrix products. The first session of a process decides it for
  // the thread that made it, JavaScript's arithmetic there included.
  set_denormal_as_zero: '1',
  // Each session has its own threads. Those of one that has just run would go on spinning for a while, and take their
  // cores from the next.
  force_spinning_stop: '1',
} as const;

/** What ONNX Runtime's own optimization has to do with a model. */
export interface ModelOptimization {
  /** The model has been through it already. Default: false. */
  readonly isDone?: boolean;
  /** A file that the optimized model is written to. Default: none. */
  readonly saveTo?: string | undefined;
}

export class Session {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async create(
    model: Uint8Array,
    options: SessionOptions = {},
    { isDone = false, saveTo }: ModelOptimization = {},
  ): Promise<Session> {
    try {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: [options.device ?? 'cpu'],
        graphOptimizationLevel: isDone ? 'disabled' : 'all',
        logSeverityLevel: 3,
        // A pattern of one large block is planned after the first run, whose many small ones are kept beside it.
        enableMemPattern: false,
        extra: { session: sessionSettings },
        ...(saveTo !== undefined && { optimizedModelFilePath: saveTo }),
        ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
        ...(options.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profile }),
      });
      return new Session(session);
    } catch (reason) {
      throw new CrucibleError('internal', `ONNX Runtime refused a program: ${(reason as Error).message}`, {
        cause: reason,
      });
    }
  }

  /** Whether the model takes inputs of these names and gives these results. */
  has(inputs: readonly string[], outputs: readonly string[]): boolean {
    const includesAll = (names: readonly string[], wanted: readonly string[]): boolean => {
      const known = new Set(names);
      return known.size === wanted.length && wanted.every((name) => known.has(name));
    };
    return includesAll(this.#session.inputNames, inputs) && includesAll(this.#session.outputNames, outputs);
  }

  /** Runs the model. Inputs are read in place; every output is a fresh copy. */
  async run(feeds: Readonly<Record<string, NdArray>>, outputs: readonly string[]): Promise<NdArray[]> {
    const values: Record<string, ort.Tensor> = {};
    for (const [name, array] of Object.entries(feeds)) values[name] = toOrt(array);
    const results = await this.#session.run(values, outputs);
    return outputs.map((name) => fromOrt(results[name]!));
  }

  endProfiling(): void {
    this.#session.endProfiling();
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

function toOrt({ dtype, shape, data }: NdArray): ort.Tensor {
  return new ort.Tensor(dtype, data as Float32Array, shape);
}

function fromOrt(tensor: ort.Tensor): NdArray {
  const dtype = tensor.type as DType;
  return { dtype, shape: tensor.dims, data: tensor.data as HostArrays[DType] };
}

/** The only file that knows ONNX Runtime. `run` and session creation block the thread: see docs/architecture.md. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CrucibleError } from '@crucible/foundation';
import * as ort from 'onnxruntime-node';
import type { Device } from '../device.ts';
import type { HostArrays, HostType } from '../dtype.ts';
import type { NdArray } from '../nd-array.ts';
import { type AnyArray, DeviceArray } from './device-array.ts';

export const onnxRuntimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

export interface SessionOptions {
  /** Where the program runs. Default: `cpu`. */
  readonly device?: Device;
  /** Outputs that stay in the device's memory, where the device can leave them there. Default: none. */
  readonly kept?: readonly string[];
  /** Threads within an operator. Default: one per core. */
  readonly threads?: number;
  /** Writes a profile of every operator to this path prefix (Chrome trace format). */
  readonly profile?: string;
  /** Whether nodes without a kernel on the device run on the CPU in place of an error. To find these. Default: false. */
  readonly fallBack?: boolean;
  /** The model has been through ONNX Runtime's own optimization already. Default: false. */
  readonly isOptimized?: boolean;
  /** A file that the optimized model is written to. Default: none. */
  readonly saveOptimized?: string | undefined;
}

/** An input or output of a model: sizes that are open have names, or none. */
export interface SessionValue {
  readonly name: string;
  /** As ONNX Runtime names element types: `float32`, `int64`, `float16`, … */
  readonly type: string;
  readonly shape: readonly (number | string)[];
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

/** What the binding says of a result that is no tensor, after the run. */
const unreadableMessage = 'Non tensor type is temporarily not supported.';

/** A model has nodes that the device has no kernels for; which, ONNX Runtime does not say. */
export class UnplacedNodes extends Error {}

export class Session {
  readonly #session: ort.InferenceSession;
  /** Inputs of models of others that want 64 bits. */
  readonly #wide: ReadonlySet<string>;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
    this.#wide = new Set(this.inputs.flatMap(({ name, type }) => (type === 'int64' ? [name] : [])));
  }

  /** `model`: the bytes of a file, or its path where weights may lie beside it. */
  static async create(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const { device = 'cpu', kept = [], fallBack = false, isOptimized = false, saveOptimized } = options;
    if (device === 'cuda') {
      assertCudaProvider();
      // Before its libraries load: the provider rounds the factors of float32 products to TF32's 10 bits otherwise, and the
      // binding passes no option against it.
      process.env['NVIDIA_TF32_OVERRIDE'] ??= '0';
    }
    const isStrict = device !== 'cpu' && !fallBack;
    try {
      const session = await ort.InferenceSession.create(model as string, {
        executionProviders: [device],
        graphOptimizationLevel: isOptimized ? 'disabled' : 'all',
        ...(saveOptimized !== undefined && { optimizedModelFilePath: saveOptimized }),
        // A pattern of one large block is planned after the first run, whose many small ones are kept beside it.
        enableMemPattern: false,
        // What is wrong with a program for a GPU is told by our errors.
        logSeverityLevel: device === 'cpu' ? 3 : 4,
        extra: {
          session: { ...sessionSettings, ...(isStrict && { disable_cpu_ep_fallback: '1' }) },
          // It loses a normalisation's second and third result, which gradients need.
          ...(device !== 'cpu' && { optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' } }),
        },
        ...(keepsOutputs(device) && {
          preferredOutputLocation: Object.fromEntries(kept.map((name) => [name, 'gpu-buffer' as const])),
        }),
        ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
        ...(options.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profile }),
      });
      return new Session(session);
    } catch (reason) {
      throw refusal((reason as Error).message, device, reason);
    }
  }

  get inputs(): readonly SessionValue[] {
    return this.#session.inputMetadata.map(valueOf);
  }

  get outputs(): readonly SessionValue[] {
    return this.#session.outputMetadata.map(valueOf);
  }

  /** Whether the model takes inputs of these names and gives these results, and no others. */
  has(inputs: readonly string[], outputs: readonly string[]): boolean {
    const isSame = (names: readonly string[], wanted: readonly string[]): boolean => {
      const known = new Set(names);
      return known.size === wanted.length && wanted.every((name) => known.has(name));
    };
    const { inputNames, outputMetadata } = this.#session;
    const tensors = outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
    return isSame(inputNames, inputs) && isSame(tensors, outputs);
  }

  /**
   * Runs the model. Host inputs are read in place; outputs are fresh copies on the host, or arrays on the device where
   * the session keeps them.
   */
  async run(feeds: Readonly<Record<string, AnyArray>>, outputs: readonly string[]): Promise<AnyArray[]> {
    const values: Record<string, ort.Tensor> = {};
    for (const [name, array] of Object.entries(feeds))
      values[name] = this.#wide.has(name) ? widened(array) : toOrt(array);
    const results = await this.#session.run(values, outputs).catch((reason: unknown) => {
      const message = (reason as Error).message;
      if (!message.includes('requires f16')) throw reason;
      throw new CrucibleError('unavailable', 'precision float16: the graphics card has no floats of 16 bits', {
        at: 'precision',
        cause: reason,
      });
    });
    return outputs.map((name) => fromOrt(results[name]!));
  }

  /**
   * Runs the model, whose results are written into the given arrays on the host; these may be among the inputs. The
   * binding copies every result that it hands out, those in arrays that it was given too (onnxruntime-node 1.30), into
   * new memory: for the state of a training step that takes longer than to work it out. So the model has a first result
   * that the binding cannot hand out (`lowerProgram`): it then says so, and all others are in their arrays.
   */
  async runInto(feeds: Readonly<Record<string, AnyArray>>, results: Readonly<Record<string, NdArray>>): Promise<void> {
    const unreadable = this.#session.outputMetadata.find(({ isTensor }) => !isTensor);
    if (!unreadable) throw new Error('internal: the model was not lowered to be run into arrays');
    const values: Record<string, ort.Tensor> = {};
    for (const [name, array] of Object.entries(feeds)) values[name] = toOrt(array);
    const fetches: Record<string, ort.Tensor | null> = { [unreadable.name]: null };
    // Without elements there is nothing to write.
    for (const [name, array] of Object.entries(results)) if (array.data.length > 0) fetches[name] = toOrt(array);
    const outcome: unknown = await this.#session.run(values, fetches).catch((reason: unknown) => reason);
    if (!(outcome instanceof Error)) throw new Error('internal: the binding handed out what is no tensor');
    if (outcome.message !== unreadableMessage) throw outcome;
  }

  endProfiling(): void {
    this.#session.endProfiling();
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

/** Whether outputs can stay on the device: those of CUDA come back to the host always (onnxruntime-node 1.30). */
export function keepsOutputs(device: Device): boolean {
  return device === 'webgpu';
}

function refusal(message: string, device: Device, cause: unknown): Error {
  if (message.includes('fallback to CPU EP has been explicitly disabled')) return new UnplacedNodes(message, { cause });
  if (message.includes('Failed to get a WebGPU adapter')) {
    return new CrucibleError(
      'unavailable',
      'device webgpu: no GPU is found; it needs a driver (on Linux: Vulkan, libvulkan1 and the driver of the card), or take the device cpu',
      { at: 'device', cause },
    );
  }
  if (device === 'cuda' && message.includes('AppendExecutionProvider_Cuda')) {
    return new CrucibleError(
      'unavailable',
      `device cuda: ONNX Runtime's CUDA provider does not load, CUDA's libraries and cuDNN 9 must be on the library path: ${message}`,
      { at: 'device', cause },
    );
  }
  return new CrucibleError('internal', `ONNX Runtime refused a program: ${message}`, { cause });
}

const cudaLibraries = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];

/** The npm package comes without them, and a download after its installation would fail behind a firewall. */
function assertCudaProvider(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new CrucibleError(
      'unavailable',
      `device cuda: Linux on x64 has it, not ${process.platform} on ${process.arch}`,
      {
        at: 'device',
      },
    );
  }
  const home = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const folder = join(home, 'bin/napi-v6/linux/x64');
  const missing = cudaLibraries.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    throw new CrucibleError(
      'unavailable',
      `device cuda: ${missing.join(' and ')} missing in ${folder}; put them there from ONNX Runtime ${ort.env.versions.node ?? ''} for GPU (onnxruntime-gpu), with CUDA and cuDNN 9 on the library path`,
      { at: 'device' },
    );
  }
}

function valueOf(value: ort.InferenceSession.ValueMetadata): SessionValue {
  return value.isTensor
    ? { name: value.name, type: value.type, shape: value.shape }
    : { name: value.name, type: 'no tensor', shape: [] };
}

function toOrt(array: AnyArray): ort.Tensor {
  if (array instanceof DeviceArray) return array.handle as ort.Tensor;
  const { dtype, shape, data } = array;
  return new ort.Tensor(dtype, data as Float32Array, shape);
}

/** int32 on the host as int64. */
function widened(array: AnyArray): ort.Tensor {
  const { data, shape } = array as NdArray;
  return new ort.Tensor('int64', BigInt64Array.from(data as Int32Array, BigInt), shape);
}

function fromOrt(tensor: ort.Tensor): AnyArray {
  const dtype = tensor.type as HostType;
  if (tensor.location === 'gpu-buffer') return new DeviceArray(dtype, tensor.dims, tensor);
  return { dtype, shape: tensor.dims, data: tensor.data as HostArrays[HostType] } satisfies NdArray;
}

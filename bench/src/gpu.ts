import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chooseDevice, type Device, type Precision } from '@crucible/tensor';
import type { Benchmark } from './benchmark.ts';

const execute = promisify(execFile);
const ownScript = join(import.meta.dirname, 'gpu-process.ts');
const peerScript = join(import.meta.dirname, '../peers/torch-gpu.py');

export interface GpuShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Training: rows and tokens of a batch, steps that are measured. */
  readonly batch: number;
  readonly time: number;
  readonly steps: number;
  /** Decoding: sequences at once, tokens of a prompt and of an answer. */
  readonly rows: number;
  readonly prompt: number;
  readonly answer: number;
}

export interface GpuMeasurement {
  readonly tokensPerSecond: number;
  /** The first step or answer, with all compilation. */
  readonly firstSeconds: number;
  /** In use on the card, all processes together. */
  readonly memoryMiB: number | null;
  /** The first and the last. */
  readonly losses: readonly number[];
}

interface PeerMeasurement {
  readonly peer: string;
  readonly gpu: string;
  readonly tokensPerSecond: number;
  readonly memoryMiB: number | null;
}

/** GPT-2 with 124 million parameters (Radford et al. 2019). */
const gpt2Shape: GpuShape = {
  width: 768,
  layers: 12,
  heads: 12,
  vocabulary: 50_257,
  batch: 8,
  time: 512,
  steps: 8,
  rows: 16,
  prompt: 128,
  answer: 128,
};

/** Dense products of halves, sums in float32, in TFLOP/s, as the makers' data sheets have them. */
const peaks: readonly (readonly [name: RegExp, teraflops: number])[] = [
  [/H100.*PCIe/, 756],
  [/H100|H200|GH200/, 989],
  [/A100/, 312],
  [/L40S/, 362],
  [/\bL4\b/, 121],
  [/RTX 4090/, 165],
  [/RTX 3090/, 71],
  [/\bT4\b/, 65],
];

/** Floating-point operations of a token's forward and backward pass: 6 a parameter, and attention's (Chowdhery et al. 2022). */
function operationsPerToken({ width, layers, vocabulary, time }: GpuShape): number {
  const parameters = 12 * layers * width ** 2 + vocabulary * width;
  return 6 * parameters + 12 * layers * width * time;
}

export const gpu: Benchmark<
  | 'gpu'
  | 'device'
  | 'tokens_per_s'
  | 'tokens_per_s_float32'
  | 'share_of_peak'
  | 'memory_mib'
  | 'memory_mib_float32'
  | 'first_step_s'
  | 'decode_tokens_per_s'
  | 'peer'
  | 'peer_tokens_per_s'
  | 'peer_tokens_per_s_float32'
  | 'peer_memory_mib'
  | 'peer_decode_tokens_per_s'
  | 'ratio'
  | 'ratio_float32'
  | 'ratio_decode'
> = {
  description:
    'AdamW training steps (B=8, T=512) and decoding (16 answers of 128 tokens to 128) of GPT-2 124M on a graphics card, ' +
    'against PyTorch on the same. CRUCIBLE_GPU_DEVICE: auto (default), webgpu or cuda; CRUCIBLE_GPU_SHAPE: other sizes, ' +
    'as JSON; CRUCIBLE_PEER_PYTHON: a Python with torch (default: python3)',
  metrics: {
    gpu: { meaning: 'the card', unit: '' },
    device: { meaning: 'ours', unit: '' },
    tokens_per_s: { meaning: 'training, products in float16 (cuda: bfloat16)', unit: 'tokens/s' },
    tokens_per_s_float32: { meaning: 'training in float32', unit: 'tokens/s' },
    share_of_peak: { meaning: "of the card's peak of halves, that tokens_per_s is", unit: '' },
    memory_mib: { meaning: 'in use on the card while it trains, float16', unit: 'MiB' },
    memory_mib_float32: { meaning: 'the same in float32', unit: 'MiB' },
    first_step_s: { meaning: 'the first step, all compilation included, float16', unit: 's' },
    decode_tokens_per_s: { meaning: 'decoding in float32', unit: 'tokens/s' },
    peer: { meaning: 'the peer and its version', unit: '' },
    peer_tokens_per_s: { meaning: 'its training, autocast to bfloat16', unit: 'tokens/s' },
    peer_tokens_per_s_float32: { meaning: 'its training in float32', unit: 'tokens/s' },
    peer_memory_mib: { meaning: 'in use on the card while it trains, bfloat16', unit: 'MiB' },
    peer_decode_tokens_per_s: { meaning: 'its decoding in float32', unit: 'tokens/s' },
    ratio: { meaning: 'training in halves, ours through theirs', unit: '' },
    ratio_float32: { meaning: 'training in float32, ours through theirs', unit: '' },
    ratio_decode: { meaning: 'decoding in float32, ours through theirs', unit: '' },
  },
  run: async (report) => {
    const { CRUCIBLE_GPU_DEVICE: asked = 'auto', CRUCIBLE_GPU_SHAPE: sizes = '{}' } = process.env;
    const shape = { ...gpt2Shape, ...(JSON.parse(sizes) as Partial<GpuShape>) };
    const { device, reason } = await chooseDevice(asked as Device);
    const notes: string[] = [];
    /** Undefined, and a note, where it fails. */
    const attempt = async <T>(what: string, command: string, args: readonly string[]): Promise<T | undefined> => {
      try {
        const { stdout } = await execute(command, [...args, JSON.stringify(shape)], { maxBuffer: 1 << 24 });
        report(`${what}: ${stdout.trim()}`);
        return JSON.parse(stdout) as T;
      } catch (failure) {
        const said = ((failure as { stderr?: string }).stderr ?? (failure as Error).message).trim();
        report(`${what} failed: ${said}`);
        notes.push(`${what}: ${said.split('\n').findLast((line) => /^\w*Error/.test(line)) ?? said.slice(-200)}`);
        return undefined;
      }
    };
    const ours = (mode: string, precision: Precision): Promise<GpuMeasurement | undefined> =>
      attempt(`${mode} in ${precision}`, process.execPath, [ownScript, mode, device, precision]);
    const python = process.env['CRUCIBLE_PEER_PYTHON'] ?? 'python3';
    const theirs = (mode: string, precision: Precision): Promise<PeerMeasurement | undefined> =>
      attempt(`${mode} of PyTorch in ${precision}`, python, [peerScript, mode, precision]);

    const half: Precision = device === 'cuda' ? 'bfloat16' : 'float16';
    const isMeasured = device !== 'cpu';
    if (!isMeasured) notes.push(`not measured: ${reason}`);
    const halves = isMeasured ? await ours('train', half) : undefined;
    const whole = isMeasured ? await ours('train', 'float32') : undefined;
    const decoded = isMeasured ? await ours('decode', 'float32') : undefined;
    const peer = isMeasured ? await theirs('train', 'bfloat16') : undefined;
    const peerWhole = peer && (await theirs('train', 'float32'));
    const peerDecoded = peer && (await theirs('decode', 'float32'));
    const card = peer?.gpu ?? null;
    const peak = peaks.find(([name]) => name.test(card ?? ''))?.[1];
    const ratio = (own?: GpuMeasurement, other?: PeerMeasurement): number | null =>
      own && other && card !== 'cpu' ? own.tokensPerSecond / other.tokensPerSecond : null;
    return {
      gpu: card,
      device: isMeasured ? device : null,
      tokens_per_s: halves?.tokensPerSecond ?? null,
      tokens_per_s_float32: whole?.tokensPerSecond ?? null,
      share_of_peak: halves && peak ? (halves.tokensPerSecond * operationsPerToken(shape)) / (peak * 1e12) : null,
      memory_mib: halves?.memoryMiB ?? null,
      memory_mib_float32: whole?.memoryMiB ?? null,
      first_step_s: halves?.firstSeconds ?? null,
      decode_tokens_per_s: decoded?.tokensPerSecond ?? null,
      peer: peer?.peer ?? null,
      peer_tokens_per_s: peer?.tokensPerSecond ?? null,
      peer_tokens_per_s_float32: peerWhole?.tokensPerSecond ?? null,
      peer_memory_mib: peer?.memoryMiB ?? null,
      peer_decode_tokens_per_s: peerDecoded?.tokensPerSecond ?? null,
      ratio: ratio(halves, peer),
      ratio_float32: ratio(whole, peerWhole),
      ratio_decode: ratio(decoded, peerDecoded),
      ...(notes.length > 0 && { note: notes.join('; ') }),
    };
  },
};

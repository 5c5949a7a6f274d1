import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Benchmark, Figure } from './benchmark.ts';
import { medianOf } from './median.ts';

const execute = promisify(execFile);
const modes = ['forward', 'lora'] as const;
const batches = [1, 4] as const;

/** Ours and the peer take turns, so that both see the same noise of the machine. */
const rounds = 3;
const stepsPerRound = 3;

type Case = `${(typeof modes)[number]}_${(typeof batches)[number]}`;
type Metric = 'tokens_per_s' | 'peer_tokens_per_s' | 'peak_memory_mb' | 'peer_peak_memory_mb';
type Key = `${Case}_${Metric}` | 'ratio' | 'memory_ratio' | 'peer';

interface Measured {
  readonly tokensPerSecond: number;
  readonly peakMemoryMb: number;
  readonly peer?: string;
}

const cases = modes.flatMap((mode) => batches.map((batch) => ({ mode, batch, name: `${mode}_${batch}` as const })));

const caseMetrics = Object.fromEntries(
  cases.flatMap(({ mode, batch, name }) => {
    const what = `${mode === 'forward' ? 'forward pass with loss' : 'LoRA step'}, batch ${batch}`;
    return [
      [`${name}_tokens_per_s`, { meaning: `${what}, ours, median over the rounds`, unit: 'tokens/s' }],
      [`${name}_peer_tokens_per_s`, { meaning: `${what}, the peer's`, unit: 'tokens/s' }],
      [`${name}_peak_memory_mb`, { meaning: `${what}, of our process`, unit: 'MiB' }],
      [`${name}_peer_peak_memory_mb`, { meaning: `${what}, of the peer's process`, unit: 'MiB' }],
    ];
  }),
) as Record<`${Case}_${Metric}`, { meaning: string; unit: string }>;

export const smollmStep: Benchmark<Key> = {
  description:
    "a forward pass and a LoRA step of SmolLM2-135M's shape (T=512; rank 8, every matrix of the layers) against " +
    'transformers and peft, in turns. CRUCIBLE_PEER_PYTHON2 names a Python with torch 2, transformers and peft',
  metrics: {
    ...caseMetrics,
    ratio: { meaning: 'ours through theirs, the worst of the four', unit: '' },
    memory_ratio: { meaning: 'our peak memory through theirs, the worst of the four', unit: '' },
    peer: { meaning: 'the peer and its version', unit: '' },
  },
  run: async (report) => {
    const python = process.env['CRUCIBLE_PEER_PYTHON2'];
    const missing = await missingPeer(python);
    const figures: Partial<Record<Key, Figure>> = {};
    const ratios: { readonly speed: number; readonly memory: number }[] = [];
    let peer: string | null = null;
    for (const { mode, batch, name } of cases) {
      const ours: Measured[] = [];
      const theirs: Measured[] = [];
      const args = [mode, String(batch), String(stepsPerRound)];
      for (let round = 1; round <= rounds; round++) {
        ours.push(await measured(process.execPath, [join(import.meta.dirname, 'smollm-once.ts'), ...args]));
        if (missing === undefined)
          theirs.push(await measured(python!, [join(import.meta.dirname, '../peers/smollm_step_torch.py'), ...args]));
        const shown = [ours.at(-1), theirs.at(-1)].map((one) => (one ? one.tokensPerSecond.toFixed(0) : '-'));
        report(
          `${mode}, batch ${batch}, round ${round} of ${rounds}: ours ${shown[0]} tokens/s, the peer's ${shown[1]}`,
        );
      }
      const [own, other] = [summary(ours), theirs.length > 0 ? summary(theirs) : undefined];
      peer ??= theirs[0]?.peer ?? null;
      figures[`${name}_tokens_per_s`] = own.speed;
      figures[`${name}_peer_tokens_per_s`] = other?.speed ?? null;
      figures[`${name}_peak_memory_mb`] = own.memory;
      figures[`${name}_peer_peak_memory_mb`] = other?.memory ?? null;
      if (other) ratios.push({ speed: own.speed / other.speed, memory: own.memory / other.memory });
    }
    return {
      ...(figures as Record<`${Case}_${Metric}`, Figure>),
      ratio: ratios.length > 0 ? Math.min(...ratios.map(({ speed }) => speed)) : null,
      memory_ratio: ratios.length > 0 ? Math.max(...ratios.map(({ memory }) => memory)) : null,
      peer,
      ...(missing !== undefined && { note: `not measured: the peer, as ${missing}` }),
    };
  },
};

function summary(all: readonly Measured[]): { readonly speed: number; readonly memory: number } {
  return {
    speed: medianOf(all.map(({ tokensPerSecond }) => tokensPerSecond)),
    memory: medianOf(all.map(({ peakMemoryMb }) => peakMemoryMb)),
  };
}

async function missingPeer(python: string | undefined): Promise<string | undefined> {
  if (python === undefined) return 'CRUCIBLE_PEER_PYTHON2 names no Python';
  try {
    await execute(python, ['-c', 'import torch, transformers, peft']);
    return undefined;
  } catch {
    return `${python} has not torch, transformers and peft`;
  }
}

async function measured(command: string, args: readonly string[]): Promise<Measured> {
  const { stdout } = await execute(command, args);
  return JSON.parse(stdout) as Measured;
}

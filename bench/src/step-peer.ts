/** Peers that make one training step of the GPT of `gpt-step`, each in a process of its own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const torchScript = join(import.meta.dirname, '../../../shared/peers/gpt_step_torch.py');
const tfjsScript = join(import.meta.dirname, '../peers/tfjs-gpt-step.mjs');

export interface StepPeer {
  /** What is not there, or undefined when all is. */
  readonly missing: () => Promise<string | undefined>;
  /** Median over `steps` steps after warming up, and the peer's name and version. */
  readonly measure: (steps: number) => Promise<{ readonly peer: string; readonly tokensPerSecond: number }>;
}

/** PyTorch, in the Python that `variable` names. */
export function pyTorch(variable: string, otherwise?: string): StepPeer {
  const python = process.env[variable] ?? otherwise;
  return {
    missing: async () => {
      if (python === undefined) return `${variable} names no Python`;
      if (!existsSync(torchScript)) return '../shared/peers is not there';
      try {
        await execute(python, ['-c', 'import torch']);
        return undefined;
      } catch {
        return `${python} has no torch`;
      }
    },
    measure: (steps) => measured(python!, [torchScript, String(steps)]),
  };
}

/** TensorFlow.js, from the folder that `variable` names. */
export function tensorFlowJs(variable: string): StepPeer {
  const folder = process.env[variable];
  return {
    missing: () => {
      if (folder === undefined) return Promise.resolve(`${variable} names no folder`);
      const found = existsSync(join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm'));
      return Promise.resolve(found ? undefined : `${folder} has no @tensorflow/tfjs-backend-wasm`);
    },
    measure: (steps) => measured(process.execPath, [tfjsScript, folder!, String(steps)]),
  };
}

async function measured(command: string, args: readonly string[]): Promise<{ peer: string; tokensPerSecond: number }> {
  const { stdout } = await execute(command, args);
  const { peer, tokens_per_s } = JSON.parse(stdout) as { peer: string; tokens_per_s: number };
  return { peer, tokensPerSecond: tokens_per_s };
}

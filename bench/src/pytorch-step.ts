import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const script = join(import.meta.dirname, '../../../shared/peers/gpt_step_torch.py');
const execute = promisify(execFile);

/** PyTorch's training step, in a process of its own. */
export class PyTorchStep {
  readonly #python: string;
  #name = 'pytorch';

  constructor(python: string) {
    this.#python = python;
  }

  /** Name and version, known after the first measurement. */
  get name(): string {
    return this.#name;
  }

  /** What is not there, or undefined when all is. */
  async missing(): Promise<string | undefined> {
    if (!existsSync(script)) return 'the peer was not measured: ../shared/peers is not there';
    try {
      await execute(this.#python, ['-c', 'import torch']);
      return undefined;
    } catch {
      return `the peer was not measured: ${this.#python} has no torch`;
    }
  }

  /** Median over `steps` steps after two to warm up. */
  async tokensPerSecond(steps: number): Promise<number> {
    const { stdout } = await execute(this.#python, [script, String(steps)]);
    const { peer, tokens_per_s } = JSON.parse(stdout) as { peer: string; tokens_per_s: number };
    this.#name = peer;
    return tokens_per_s;
  }
}

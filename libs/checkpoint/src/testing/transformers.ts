/** Hugging Face's transformers, where Python has it: reads the folders that we write. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { ChatMessage } from '@crucible/tokenizer';
import type { ModelKind } from '../architectures.ts';

const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';
const script = join(import.meta.dirname, '../../fixtures/transformers_folder.py');

function ask(request: object): { answer?: unknown; complaint: string } {
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', TOKENIZERS_PARALLELISM: 'false' },
  });
  return status === 0 ? { answer: JSON.parse(stdout), complaint: '' } : { complaint: stderr };
}

/** The versions of the packages, undefined where there are none. */
export const transformers = ask({}).answer as { torch: string; transformers: string } | undefined;

export interface FolderRequest {
  readonly path: string;
  readonly kind: ModelKind;
  readonly texts: readonly string[];
  readonly chats: readonly (readonly ChatMessage[])[];
}

/** What transformers makes of a folder. Ids of special tokens come as [bos, eos, pad]. */
export interface FolderAnswer {
  readonly architecture: string;
  readonly dtype: string;
  readonly complaints: string[];
  readonly parameters: number;
  readonly ids: number[][];
  readonly chats: number[][];
  readonly decoded: string[];
  /** Of each text: every token's logits, or the last token's scores, or the classes' logits, or the mean of the states. */
  readonly logits: number[][];
  /** And the number of tokens. */
  readonly tokenizer: number[];
  readonly config: number[];
  readonly generation?: [number, number | number[], number];
  /** The first text and eight tokens more. */
  readonly greedy?: number[];
}

export function readWithTransformers(folders: readonly FolderRequest[]): FolderAnswer[] {
  const { answer, complaint } = ask({ folders });
  if (answer === undefined) throw new Error(`internal: transformers failed: ${complaint}`);
  return answer as FolderAnswer[];
}

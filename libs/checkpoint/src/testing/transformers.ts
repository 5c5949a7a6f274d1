/** Hugging Face's transformers, where Python has it: reads the folders that we write. */
import type { ChatMessage } from '@crucible/tokenizer';
import type { ModelKind } from '../architectures.ts';
import { askPython } from './python.ts';

const script = 'transformers_folder.py';

/** The versions of the packages, undefined where there are none. */
export const transformers = askPython(script, {}).answer as { torch: string; transformers: string } | undefined;

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
  /** Of a model for embeddings, the vectors of the texts by sentence-transformers, where that is installed. */
  readonly sentences?: number[][];
  /** The first text and eight tokens more. */
  readonly greedy?: number[];
}

export function readWithTransformers(folders: readonly FolderRequest[]): FolderAnswer[] {
  const { answer, complaint } = askPython(script, { folders });
  if (answer === undefined) throw new Error(`internal: transformers failed: ${complaint}`);
  return answer as FolderAnswer[];
}

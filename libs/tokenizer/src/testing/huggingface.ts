/** Hugging Face's tokenizers and transformers, where Python has them: the reference for tests. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Python with the packages `tokenizers` and `transformers`. */
const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';
const script = join(import.meta.dirname, '../../fixtures/huggingface.py');

/** Asks fixtures/huggingface.py; undefined if it cannot be run. */
function ask(request: object): unknown {
  const { status, stdout } = spawnSync(python, [script], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', TOKENIZERS_PARALLELISM: 'false' },
  });
  return status === 0 ? JSON.parse(stdout) : undefined;
}

/** The versions of the packages, undefined where there are none. */
export const huggingFace = ask({}) as { tokenizers: string; transformers: string } | undefined;

export interface HuggingFaceFolder {
  readonly chats: number[][];
  readonly texts: number[][];
  readonly decoded: string[];
  readonly special: string[];
  readonly maxLength: number;
  readonly bos_token: string | null;
  readonly eos_token: string | null;
  readonly pad_token: string | null;
  readonly unk_token: string | null;
}

/** The tokenizer.json that training gives, with the pre-tokenizer of our own models. */
export function trainWithHuggingFace(texts: string[], vocabSize: number, specialTokens: string[]): object {
  return ask({ train: texts, vocabSize, specialTokens }) as object;
}

/** `special`: whether special tokens in the texts are found. */
export function encodeWithHuggingFace(tokenizerJson: string, texts: string[], special: boolean): number[][] {
  return ask({ tokenizer: tokenizerJson, texts, special }) as number[][];
}

/** What transformers makes of a tokenizer's folder. */
export function loadWithHuggingFace(folder: string, texts: string[], chats: object[]): HuggingFaceFolder {
  return ask({ folder, texts, chats }) as HuggingFaceFolder;
}

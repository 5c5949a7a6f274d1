/** Python programs that others wrote for models, where they are installed: what ours is compared with. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';

export interface PythonAnswer {
  readonly answer?: unknown;
  /** What it said instead of an answer. */
  readonly complaint: string;
}

/** Runs a script of fixtures/ with a JSON request. */
export function askPython(script: string, request: object): PythonAnswer {
  const { status, stdout, stderr } = spawnSync(python, [join(import.meta.dirname, '../../fixtures', script)], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', TOKENIZERS_PARALLELISM: 'false' },
  });
  return status === 0 ? { answer: JSON.parse(stdout) as unknown, complaint: '' } : { complaint: stderr };
}

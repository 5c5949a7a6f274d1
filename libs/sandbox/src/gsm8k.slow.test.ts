/** Every calculation in the notes of GSM8K's answers, as programs in the sandbox. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BoundaryName } from './boundary.ts';
import { Sandbox } from './sandbox.ts';
import { openTestBoundary, requireBoundary } from './testing/require-boundary.ts';

const folder = join(import.meta.dirname, '../../../../shared/data');
const files = ['gsm8k-test.jsonl', 'gsm8k-train.jsonl'].map((name) => join(folder, 'math', name));
const missing = files.find((path) => !existsSync(path));

interface Calculation {
  readonly expression: string;
  /** A number, or a fraction. */
  readonly gold: string;
}

/** `<<48/2=24>>`, by question; percentages, thousands' commas and leading zeros in Python's spelling. */
function calculations(): Calculation[][] {
  const python = (text: string): string =>
    text
      .replaceAll(/(\d+(?:\.\d+)?|\.\d+)%/g, '($1/100)')
      .replaceAll(',', '')
      .replaceAll(/(?<![\d.])0+(?=\d)/g, '');
  return files
    .flatMap((path) => readFileSync(path, 'utf8').trim().split('\n'))
    .map((line) =>
      [...(JSON.parse(line) as { answer: string }).answer.matchAll(/<<([^>]*)>>/g)].map(([, note]) => {
        const at = note!.lastIndexOf('=');
        return { expression: python(note!.slice(0, at)).split('=')[0]!, gold: python(note!.slice(at + 1)) };
      }),
    )
    .filter((notes) => notes.length > 0);
}

async function reproduce(name: BoundaryName, questions: readonly (readonly Calculation[])[]): Promise<string[]> {
  const sandbox = new Sandbox(await openTestBoundary(name), { concurrency: 3, queue: 0, warm: 3 });
  const waiting = [...questions];
  const wrong: string[] = [];
  const work = async (): Promise<void> => {
    for (let notes = waiting.shift(); notes; notes = waiting.shift()) {
      const code = `results = [${notes.map(({ expression, gold }) => `(${expression}, ${gold})`).join(', ')}]`;
      const { value, message } = await sandbox.run({ code, expression: 'results', limits: { wallMs: 60_000 } });
      const results = JSON.parse(value?.json ?? '[]') as [result: number, gold: number][];
      notes.forEach(({ expression, gold }, i) => {
        const [result, expected] = results[i] ?? [NaN, NaN];
        if (!(Math.abs(result - expected) <= 1e-9 * Math.max(1, Math.abs(expected))))
          wrong.push(`${expression} is ${results[i] ? result : message}, not ${gold}`);
      });
    }
  };
  await Promise.all([work(), work(), work()]);
  await sandbox.close();
  return wrong;
}

if (missing !== undefined) {
  it.skip(`reproduces the calculations of GSM8K (skipped: ${missing} is not there)`, () => undefined);
} else {
  await requireBoundary('bubblewrap', 'bubblewrap', () => {
    it('reproduces every calculation of GSM8K', { timeout: 3_600_000 }, async () => {
      const questions = calculations();
      expect(questions.flat()).toHaveLength(27_998);
      expect(await reproduce('bubblewrap', questions)).toEqual([]);
    });
  });

  await requireBoundary('pyodide', 'Pyodide in Deno', () => {
    it('reproduces the calculations of a hundred questions of GSM8K', { timeout: 1_200_000 }, async () => {
      expect(await reproduce('pyodide', calculations().slice(0, 100))).toEqual([]);
    });
  });
}

/**
 * A file of trials, JSON Lines: what was measured, then a trial a line as each ends, so that nothing is lost when a
 * measurement is stopped, and the same one goes on where it was.
 */
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import { invalidInput, writeFileAtomic } from '@crucible/foundation';
import type { Trial } from './evaluate-strategies.ts';

export class TrialFile {
  /** Those of earlier measurements. */
  readonly trials: readonly Trial[];
  readonly #path: string;

  /** `about`: all that trials depend on; a file of another measurement is refused. */
  constructor(path: string, about: Readonly<Record<string, unknown>>) {
    this.#path = path;
    const header = JSON.stringify({ about });
    if (!existsSync(path)) {
      writeFileAtomic(path, `${header}\n`);
      this.trials = [];
      return;
    }
    const text = readFileSync(path, 'utf8');
    // A last line without its end was being written when the writer was stopped.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const [first = '', ...lines] = whole.split('\n').slice(0, -1);
    if (first !== header)
      throw invalidInput(
        `${path}:1: it holds other results: ${first.slice(0, 300) || 'nothing'}; these would be ${header}. Name another file`,
        { at: path },
      );
    this.trials = lines.map((line, i) => parseTrial(line, `${path}:${i + 2}`));
    if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  }

  add(trial: Trial): void {
    appendFileSync(this.#path, `${JSON.stringify(trial)}\n`);
  }
}

function parseTrial(line: string, at: string): Trial {
  try {
    const { task, strategy, question, right, tokens, calls, seconds, status } = JSON.parse(line) as Partial<Trial>;
    const isTrial =
      [task, strategy, status].every((each) => typeof each === 'string') &&
      [question, tokens, calls, seconds].every((each) => Number.isFinite(each)) &&
      typeof right === 'boolean';
    if (isTrial) return JSON.parse(line) as Trial;
  } catch {
    // Said below.
  }
  throw invalidInput(`${at}: is no trial: ${line.slice(0, 200)}`, { at });
}

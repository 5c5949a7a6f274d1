/** What a tool has answered, as a model is shown it; and whether the run goes in circles. */
import { createHash } from 'node:crypto';
import type { Run } from '../run.ts';
import { onOneLine, quoted, shortened } from '../untrusted-text.ts';

/** Of the context, for one observation. */
const contextShare = 0.25;

/** Characters for which there are so many tokens, at the least. */
const charactersPerToken = 3;

export function observationCharacters(run: Run, tokens: number): number {
  const { contextTokens = Infinity } = run.model;
  return Math.max(60, Math.floor(Math.min(tokens, contextTokens * contextShare) * charactersPerToken));
}

export interface ShownObservation {
  readonly text: string;
  readonly omitted: number;
}

/** As data: it can neither end its message nor begin a line like those of the model. */
export function showObservation(
  text: string,
  mostCharacters: number,
  { keepLines }: { readonly keepLines: boolean },
): ShownObservation {
  // What is megabytes long is cut before anything else is done with it.
  const cut = shortened(text, mostCharacters);
  const said = cut.text.trim() === '' ? '(nothing)' : cut.text;
  const shown = keepLines && /[\n\r\u2028\u2029]/.test(said.trim()) ? `\n${quoted(said.trim())}` : onOneLine(said);
  return { text: shown, omitted: cut.omitted };
}

/** Counts actions that were done before with the same result. */
export class LoopDetector {
  readonly #seen = new Map<string, { count: number; readonly step: number }>();

  /** How often this has happened, this time included, and in which step first. */
  note(
    step: number,
    tool: string,
    input: Readonly<Record<string, unknown>>,
    result: string,
  ): { readonly count: number; readonly firstStep: number } {
    const done = JSON.stringify([tool.toLowerCase(), Object.entries(input).sort(([a], [b]) => (a < b ? -1 : 1))]);
    // A digest, so that results of megabytes are not kept.
    const key = createHash('sha256').update(`${done}\n${result}`).digest('base64');
    const known = this.#seen.get(key) ?? { count: 0, step };
    known.count++;
    this.#seen.set(key, known);
    return { count: known.count, firstStep: known.step };
  }
}

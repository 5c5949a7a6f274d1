/** The trace of a strategy for people, as it happens; and its answer. */
import type { Step } from '@crucible/prompting';
import { type Style, styled } from './format.ts';

export interface StepDisplayOptions {
  /** Show what the model was asked, not only that it was. */
  readonly prompts: boolean;
}

/** What a model writes that way is its answer already. */
const answerPurpose = 'answer';

/** Characters of a passage or of what a program prints. */
const mostShown = 300;

export class StepDisplay {
  readonly #out: NodeJS.WriteStream;
  readonly #trace: NodeJS.WriteStream;
  readonly #prompts: boolean;
  /** Calls of which text is shown as it comes; those of several samples at once would mix. */
  #streaming: { readonly call: number; readonly onto: NodeJS.WriteStream; text: string } | undefined;
  /** Something stands on standard output already. */
  #written: string | undefined;

  constructor(out: NodeJS.WriteStream, trace: NodeJS.WriteStream, { prompts }: StepDisplayOptions) {
    this.#out = out;
    this.#trace = trace;
    this.#prompts = prompts;
  }

  show(step: Step): void {
    switch (step.kind) {
      case 'prompt': {
        this.#line(
          step,
          'asks',
          'dim',
          `${step.purpose}${this.#prompts ? '' : ` (${step.messages.length} message${step.messages.length === 1 ? '' : 's'})`}`,
        );
        if (this.#prompts) for (const { role, content } of step.messages) this.#line(step, role, 'dim', content);
        // On a terminal the answer comes as it is written; a program that reads it wants it whole.
        const onto = step.purpose === answerPurpose && this.#out.isTTY ? this.#out : this.#trace;
        if (step.sample === undefined) this.#streaming = { call: step.call, onto, text: '' };
        break;
      }
      case 'text':
        if (this.#streaming?.call === step.call && step.answer === 0) {
          this.#streaming.text += step.text;
          this.#streaming.onto.write(printable(step.text));
        }
        break;
      case 'completion':
        if (this.#streaming?.call === step.call && step.answer === 0) {
          const { onto, text } = this.#streaming;
          if (text !== '') onto.write('\n');
          if (onto === this.#out) this.#written = text.trim();
          this.#streaming = undefined;
        } else this.#line(step, 'says', 'dim', step.text.trim());
        if (step.text !== '' && (step.finish === 'length' || step.finish === 'cut'))
          this.#line(step, 'note', 'yellow', 'the text was cut here');
        break;
      case 'examples':
        this.#line(
          step,
          'shows',
          'dim',
          `${step.chosen.length} examples${step.leftOut === 0 ? '' : `; ${step.leftOut} do not fit`}`,
        );
        break;
      case 'thought':
        // It has just been shown as it came, where samples do not mix.
        if (step.sample !== undefined) this.#line(step, 'thinks', 'dim', step.text);
        break;
      case 'action':
        this.#line(step, 'does', 'cyan', `${step.tool} ${JSON.stringify(step.input)}`);
        break;
      case 'observation':
        this.#line(step, 'sees', step.failed ? 'yellow' : 'green', step.text);
        for (const { id, width, height } of step.pictures ?? [])
          this.#line(step, 'sees', 'green', `picture ${id} (${width} by ${height}, in the home under actor/pictures)`);
        break;
      case 'program':
        this.#line(step, 'runs', 'cyan', step.program);
        break;
      case 'program-result':
        this.#line(
          step,
          'gets',
          step.ended === 'finished' ? 'green' : 'yellow',
          step.value ?? `${step.ended}: ${(step.stderr || step.stdout).trim().slice(-mostShown)}`,
        );
        break;
      case 'passages':
        if (step.passages.length === 0) this.#line(step, 'finds', 'yellow', 'nothing');
        for (const [i, { document, text, start, end }] of step.passages.entries())
          this.#line(
            step,
            `[${i + 1}]`,
            'green',
            `${document.title} (${document.id}, ${start} to ${end}): ${text.slice(0, mostShown).replace(/\s+/g, ' ')}`,
          );
        break;
      case 'vote':
        this.#line(
          step,
          'votes',
          'magenta',
          `${step.votes.map(({ key, count }) => `${count} for ${key}`).join(', ')}${step.invalid === 0 ? '' : `; ${step.invalid} without an answer`}${step.tied ? '; tied' : ''}`,
        );
        break;
      case 'fall-back':
        this.#line(step, 'turns', 'yellow', `to ${step.to}: ${step.reason}`);
        break;
      case 'notice':
        this.#line(step, 'note', 'yellow', `${step.what}: ${step.text.slice(0, mostShown)}`);
        break;
      case 'answer':
        if (step.text !== '' && step.text !== this.#written)
          this.#out.write(`${this.#out.isTTY ? printable(step.text) : step.text}\n`);
        for (const { number, passage, supported } of step.citations ?? [])
          this.#line(
            step,
            `[${number}]`,
            supported ? 'green' : 'yellow',
            `${passage.document.id}, ${passage.start} to ${passage.end}${supported ? '' : ' (does not have these words)'}`,
          );
        break;
      case 'end': {
        const { calls, promptTokens, completionTokens, estimated } = step.usage;
        const why = step.reason === 'finished' || step.reason === 'error' ? '' : `; ended by: ${step.reason}`;
        this.#line(
          step,
          'ends',
          'dim',
          `${calls} call${calls === 1 ? '' : 's'}, ${estimated ? 'about ' : ''}${promptTokens} + ${completionTokens} tokens, ${(step.elapsedMs / 1000).toFixed(1)} s${why}`,
        );
        break;
      }
    }
  }

  #line({ sample }: Step, what: string, style: Style, text: string): void {
    const who = sample === undefined ? '' : `#${sample.map((index) => index + 1).join('.')} `;
    const indent = ' '.repeat(8);
    const lines = printable(text).split('\n').join(`\n${indent}`);
    this.#trace.write(`${styled(style, `${who}${what}`.padEnd(7), this.#trace)} ${lines}\n`);
  }
}

/** Without the characters that a terminal obeys: the text is a model's, or a document's. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    character === '\n' || character === '\t' || character === '\u200d' ? character : '\ufffd',
  );
}

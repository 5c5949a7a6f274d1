/** How far a measurement of strategies is, for people: one line that is written over, or a line now and then. */
import type { Trial } from '@crucible/evaluation';
import { bar, duration } from './format.ts';

/** Milliseconds between two pictures on a terminal, and between two lines elsewhere. */
const frame = { terminal: 100, elsewhere: 10_000 };

export class TrialDisplay {
  readonly #stream: NodeJS.WriteStream;
  #began = 0;
  #total = 0;
  #first = 0;
  #done = 0;
  #shown = 0;
  #isOpen = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** `done`: those of an earlier measurement. */
  begin(total: number, done: number): void {
    this.#began = performance.now();
    this.#shown = this.#began;
    this.#total = total;
    this.#first = done;
    this.#done = done;
    if (done > 0) this.#stream.write(`${done} of ${total} are there already\n`);
  }

  update({ task, strategy }: Pick<Trial, 'task' | 'strategy'>): void {
    this.#done++;
    const now = performance.now();
    if (now - this.#shown < frame[this.#stream.isTTY ? 'terminal' : 'elsewhere']) return;
    this.#shown = now;
    const share = this.#done / this.#total;
    const left = ((now - this.#began) / (this.#done - this.#first)) * (this.#total - this.#done);
    const line = `${bar(share, 20)} ${this.#done} of ${this.#total}, ${duration(left / 1000)} left  ${task}, ${strategy}`;
    if (this.#stream.isTTY) this.#stream.write(`\r\u001b[K${line.slice(0, Math.max(20, this.#stream.columns - 1))}`);
    else this.#stream.write(`${line}\n`);
    this.#isOpen = this.#stream.isTTY;
  }

  /** Takes the line away; more than once is no harm. */
  finish(): void {
    if (this.#isOpen) this.#stream.write('\r\u001b[K');
    this.#isOpen = false;
  }
}

/** How far a download is, for people: one line that is written over and over. */
import { bar, compact, duration, styled } from './format.ts';

export interface Transfer {
  readonly path: string;
  readonly received: number;
  readonly total: number;
}

/** Milliseconds between two pictures. */
const frame = 100;

export class TransferDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #started = performance.now();
  #first: number | undefined;
  #shown = -Infinity;
  #isOpen = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  update(transfer: Transfer): void {
    this.#first ??= transfer.received;
    const now = performance.now();
    const isLast = transfer.received === transfer.total;
    if (!this.#stream.isTTY || (now - this.#shown < frame && !isLast)) return;
    this.#shown = now;
    this.#isOpen = true;
    const seconds = (now - this.#started) / 1000;
    this.#stream.write(`\r\u001b[K${lineOf(transfer, this.#first, seconds, this.#stream.columns)}`);
  }

  /** Ends the line; more than once is no harm. */
  finish(): void {
    if (this.#isOpen) this.#stream.write('\n');
    this.#isOpen = false;
  }
}

/** `first`: bytes that were there at the beginning. */
export function lineOf({ path, received, total }: Transfer, first: number, seconds: number, columns: number): string {
  const share = total === 0 ? 1 : received / total;
  const rate = (received - first) / Math.max(seconds, 0.001);
  const left = rate > 0 ? ` ${duration((total - received) / rate)} left` : '';
  const figures = `${compact(received)}B of ${compact(total)}B  ${compact(rate)}B/s${received < total ? left : ''}`;
  const room = columns - figures.length - 34;
  return `${bar(share, 20)} ${String(Math.floor(100 * share)).padStart(3)} %  ${figures}  ${styled('dim', path.slice(0, Math.max(0, room)))}`.trimEnd();
}

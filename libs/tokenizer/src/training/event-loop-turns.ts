import { setImmediate } from 'node:timers/promises';

/** Lets a long computation share the event loop: `if (turns.due()) await turns.take();` once in every step. */
export class EventLoopTurns {
  readonly #milliseconds: number;
  #next: number;

  /** A turn is due every `milliseconds`. */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.#next = performance.now() + milliseconds;
  }

  due(): boolean {
    return performance.now() >= this.#next;
  }

  async take(): Promise<void> {
    await setImmediate();
    this.#next = performance.now() + this.#milliseconds;
  }
}

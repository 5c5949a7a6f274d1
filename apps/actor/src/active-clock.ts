/** The time that a run has had: not that in which it waits for people. */
export class ActiveClock implements Disposable {
  readonly #before: number;
  readonly #limitMs: number;
  readonly #onLimit: () => void;
  #elapsed = 0;
  #since: number | undefined = performance.now();
  #waits = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `before`: milliseconds that it has had already. */
  constructor(before: number, limitMs: number, onLimit: () => void) {
    this.#before = before;
    this.#limitMs = limitMs;
    this.#onLimit = onLimit;
    this.#arm();
  }

  get elapsedMs(): number {
    const running = this.#since === undefined ? 0 : performance.now() - this.#since;
    return this.#before + this.#elapsed + running;
  }

  /** Stops while anybody waits. */
  async whileWaiting<T>(wait: () => Promise<T>): Promise<T> {
    if (this.#waits++ === 0) this.#stop();
    try {
      return await wait();
    } finally {
      if (--this.#waits === 0) {
        this.#since = performance.now();
        this.#arm();
      }
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    if (this.#since !== undefined) this.#elapsed += performance.now() - this.#since;
    this.#since = undefined;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onLimit, Math.max(0, this.#limitMs - this.elapsedMs));
  }
}

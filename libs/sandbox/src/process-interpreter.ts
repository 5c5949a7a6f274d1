/** An interpreter in a held process that answers by a channel: what both boundaries have in common. */
import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import type { Ending, Exit, Interpreter, OnOutput, Sample } from './boundary.ts';
import { AnswerReader, type Frame, FrameReader, nonceBytes, startMessage } from './channel.ts';
import type { HeldLimits, HeldProcess } from './held-process.ts';
import type { ResolvedProgram } from './program.ts';

export interface InterpreterParts {
  readonly held: HeldProcess;
  /** Frames come by this. */
  readonly up: Readable;
  /** The program goes by this. */
  readonly down: Writable;
  /** The streams of the program itself; undefined: its output comes as frames, its input goes with the program. */
  readonly streams: { readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable } | undefined;
  /** What the interpreter says itself. */
  readonly diagnostics: Readable;
  /** Of the interpreter, beyond what the program may have. */
  readonly own: HeldLimits;
}

const startDeadline = 60_000;
const mostDiagnostics = 2000;
const frameRoom = 1024 * 1024;

export class ProcessInterpreter implements Interpreter {
  readonly exited: Promise<Exit>;
  readonly #parts: InterpreterParts;
  readonly #frames: FrameReader;
  #onFrame: (frame: Frame) => string | undefined;
  #breach: string | undefined;
  #diagnostics = '';
  #reader: AnswerReader | undefined;
  #exit: Exit | undefined;

  private constructor(parts: InterpreterParts, onReady: () => void) {
    this.#parts = parts;
    this.exited = parts.held.exited;
    this.#onFrame = () => {
      onReady();
      return undefined;
    };
    this.#frames = new FrameReader((frame) => (this.#breach ??= this.#onFrame(frame)));
    for (const stream of [parts.down, parts.streams?.stdin]) stream?.on('error', () => undefined);
    parts.up
      .on('error', () => undefined)
      .on('data', (bytes: Buffer) => {
        if (this.#breach === undefined) this.#breach = this.#frames.read(bytes) ?? this.#breach;
        if (this.#breach !== undefined) this.kill();
      });
    parts.diagnostics.on('data', this.#takeDiagnostics);
  }

  /** Resolves when it waits for its program. */
  static async start(name: string, parts: InterpreterParts): Promise<ProcessInterpreter> {
    const ready = Promise.withResolvers<undefined>();
    const interpreter = new ProcessInterpreter(parts, () => ready.resolve(undefined));
    void interpreter.exited.then(({ code, signal }) => {
      const how = signal ?? `exit code ${code}`;
      const words = interpreter.#diagnostics.trim();
      ready.reject(new CrucibleError('unavailable', `${name} did not start (${how})${words && `: ${words}`}`));
    });
    try {
      await withDeadline(ready.promise, startDeadline, `start of ${name}`);
    } catch (reason) {
      interpreter.kill();
      throw reason;
    }
    return interpreter;
  }

  async run(program: ResolvedProgram, onOutput: OnOutput): Promise<Ending> {
    const { held, down, streams, diagnostics, own } = this.#parts;
    const { limits } = program;
    const reader = (this.#reader = new AnswerReader(limits));
    const nonce = randomBytes(nonceBytes);
    this.#frames.expect(nonce, limits.diskBytes + 8 * limits.outputBytes + frameRoom);
    this.#diagnostics = '';
    if (streams) {
      // Until now they were the interpreter's.
      diagnostics.off('data', this.#takeDiagnostics);
      for (const name of ['stdout', 'stderr'] as const) {
        const stream = streams[name];
        stream.on('error', () => undefined).on('data', (bytes: Buffer) => onOutput(name, bytes));
      }
    }
    // Where the output comes by the same way, nothing comes after the answer, and nobody need wait for the end.
    const answered = Promise.withResolvers<Exit>();
    this.#onFrame = (frame) => {
      if (streams || (frame.kind !== 'O' && frame.kind !== 'E')) {
        const wrong = reader.read(frame);
        if (!streams && reader.answer) {
          held.sample();
          this.kill();
          answered.resolve({ code: 0, signal: null });
        }
        return wrong;
      }
      onOutput(frame.kind === 'O' ? 'stdout' : 'stderr', Uint8Array.from(frame.content));
      return undefined;
    };
    try {
      held.limit({
        memoryBytes: limits.memoryBytes + own.memoryBytes,
        processes: limits.processes + own.processes,
      });
      down.write(startMessage(program));
      down.write(nonce);
      if (streams) streams.stdin.end(program.stdin);
      else down.write(program.stdin);
    } catch (reason) {
      this.#breach = `its limits could not be set: ${(reason as Error).message}`;
      this.kill();
    }
    this.#exit = await (streams ? this.exited : Promise.race([this.exited, answered.promise]));
    return this.endingNow();
  }

  endingNow(): Ending {
    const { held } = this.#parts;
    return {
      exit: this.#exit,
      answer: this.#breach === undefined ? this.#reader?.answer : undefined,
      files: this.#reader?.files ?? [],
      breach: this.#breach,
      metMemoryLimit: held.metMemoryLimit,
      usage: held.usage,
      lastWords: this.#diagnostics.trim(),
    };
  }

  sample(): Sample {
    return this.#parts.held.sample();
  }

  kill(): void {
    const { held, up, streams } = this.#parts;
    held.kill();
    // What waits in them is not wanted any more, and they would not end before it is read.
    for (const stream of [up, streams?.stdout, streams?.stderr]) stream?.destroy();
  }

  readonly #takeDiagnostics = (bytes: Buffer): void => {
    this.#diagnostics = (this.#diagnostics + bytes.toString()).slice(-mostDiagnostics);
  };
}

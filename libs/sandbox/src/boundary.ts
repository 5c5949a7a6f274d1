/** What holds a program: the interface of both boundaries. */
import type { Limits, ProgramFile, ResolvedProgram } from './program.ts';

export const boundaryNames = ['bubblewrap', 'pyodide'] as const;

export type BoundaryName = (typeof boundaryNames)[number];

/** A way to start interpreters that cannot hurt. */
export interface Boundary {
  readonly name: BoundaryName;
  /** `CPython 3.11.2` */
  readonly python: string;
  /** In what it is weaker here than it can be, each a sentence; empty at full strength. */
  readonly weaknesses: readonly string[];
  /** Interpreters of the same kind may take each other's place; limits that are fixed at the start make the kind. */
  readonly kindOf: (limits: Limits) => string;
  /** Resolves when the interpreter waits for its program. */
  readonly start: (limits: Limits) => Promise<Interpreter>;
  /** Removes what it has made outside. Its interpreters have ended before. */
  readonly close: () => Promise<void>;
}

/** One interpreter for one program; then it is gone. */
export interface Interpreter {
  /** Gives it the program. Resolves when all that it has to say is there and it is ended, or being ended; never rejects. */
  readonly run: (program: ResolvedProgram, onOutput: OnOutput) => Promise<Ending>;
  /** What is known of a run that is being ended. */
  readonly endingNow: () => Ending;
  /** What it uses now, as seen from outside. */
  readonly sample: () => Sample;
  /** Ends all its processes at once. */
  readonly kill: () => void;
  /** Resolves when all its processes are gone, with how the first of them ended. */
  readonly exited: Promise<Exit>;
}

export type StreamName = 'stdout' | 'stderr';

export type OnOutput = (stream: StreamName, bytes: Uint8Array) => void;

export interface Sample {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** Whether it has more memory than its program may have, where the kernel does not see to it. */
  readonly isTooLarge: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How an interpreter ended, in its own words where it could still speak. */
export interface Ending {
  /** Undefined: not yet. */
  readonly exit: Exit | undefined;
  readonly answer: Answer | undefined;
  readonly files: readonly ProgramFile[];
  /** What it did on its channel that it must not do. */
  readonly breach: string | undefined;
  /** Whether the kernel ended a process of it for want of memory. */
  readonly metMemoryLimit: boolean;
  readonly usage: { readonly cpuMs: number; readonly peakMemoryBytes: number };
  /** The end of what the interpreter itself, not the program, had to say: of a crash. */
  readonly lastWords: string;
}

/** What an interpreter says when its program has come to an end. */
export interface Answer {
  readonly exitCode: number | null;
  /** Its number. */
  readonly signal: number | null;
  /** JSON of python/program_runner.py; empty when the program ended the interpreter before its own end. */
  readonly report: string;
  /** Which limit its files exceed. */
  readonly exceeded: 'files' | 'bytes' | null;
}

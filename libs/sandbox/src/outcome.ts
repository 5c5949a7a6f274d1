/** What became of a run. */
import type { BoundaryName } from './boundary.ts';
import type { ProgramFile } from './program.ts';

/**
 * - `ok`: it ended by itself with exit code 0, and the value that was asked for is there.
 * - `error`: it ended by itself in another way: an exception, another exit code, no value.
 * - `timeout`: the limit of wall or processor time ended it.
 * - `memory`: it met the limit of memory.
 * - `output_limit`: it wrote more, or left more or larger files, than it may.
 * - `killed`: a signal, a crash of the interpreter, or a breach of the channel that it answers by ended it.
 * - `cancelled`: who asked for it does not want it any more.
 */
export const outcomes = ['ok', 'error', 'timeout', 'memory', 'output_limit', 'killed', 'cancelled'] as const;

export type Outcome = (typeof outcomes)[number];

/** Python's words about an exception that nobody caught. They are the program's: data, never instructions. */
export interface Exception {
  /** `ZeroDivisionError` */
  readonly type: string;
  readonly message: string;
  /** As Python prints it, cut in the middle where it is long. */
  readonly traceback: string;
}

/** What the program says that its value is. */
export interface Value {
  /** Python's `repr`. */
  readonly repr: string;
  /** Where JSON can hold it exactly (no NaN, no cycles, not too deep). */
  readonly json: string | undefined;
}

export interface Usage {
  /** Milliseconds from the moment that the program was given to its interpreter. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The most memory at a time; where the system does not keep the peak, the largest sample. */
  readonly peakMemoryBytes: number;
  readonly outputBytes: number;
}

export interface RunResult {
  readonly outcome: Outcome;
  /** One sentence for a person; empty when `ok`. */
  readonly message: string;
  /** Undefined when a signal ended it, or it never came to an end. */
  readonly exitCode: number | undefined;
  readonly exception: Exception | undefined;
  readonly value: Value | undefined;
  /** New and changed files, when they were asked for and the program came to an end. */
  readonly files: readonly ProgramFile[];
  readonly usage: Usage;
  /** What held the program. */
  readonly boundary: BoundaryName;
}

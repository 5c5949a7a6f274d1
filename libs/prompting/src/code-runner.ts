/** Where strategies run Python programs. */

export interface CodeResult {
  /** `finished`: the program came to its end. `failed`: it raised, or exited with a status other than 0. */
  readonly ended: 'finished' | 'failed' | 'timeout' | 'memory' | 'output';
  readonly stdout: string;
  /** With the traceback, if it raised. */
  readonly stderr: string;
}

export interface CodeRunner {
  /**
   * Runs a program in an interpreter that no other program has used, isolated from this machine. Whatever the program
   * does is a result; it throws where programs cannot be run at all.
   */
  readonly run: (
    program: string,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ) => Promise<CodeResult>;
}

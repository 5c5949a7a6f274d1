/** Our sandbox over gRPC, for strategies that run programs. */
import { CrucibleError } from '@crucible/foundation';
import type { CodeResult, CodeRunner } from '@crucible/prompting';
import { Outcome, OutputStream, type SandboxService } from '@crucible/protos/sandbox/v1';
import type { Client } from '@crucible/rpc';

/** Milliseconds beside the program's own: for its turn, and for a sandbox that has to be opened first. */
const patience = 180_000;

const endings: Readonly<Partial<Record<Outcome, CodeResult['ended']>>> = {
  [Outcome.OK]: 'finished',
  [Outcome.ERROR]: 'failed',
  [Outcome.KILLED]: 'failed',
  [Outcome.TIMEOUT]: 'timeout',
  [Outcome.MEMORY]: 'memory',
  [Outcome.OUTPUT_LIMIT]: 'output',
};

export function createSandboxRunner(sandbox: Client<typeof SandboxService>): CodeRunner {
  return {
    run: async (program, { timeoutMs, signal }) => {
      const text = { stdout: '', stderr: '' };
      const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
      const call = { signal, deadlineMs: timeoutMs + patience };
      for await (const { event } of sandbox.execute({ code: program, limits: { wallMs: timeoutMs } }, call)) {
        if (event.case === 'output') {
          const name = event.value.stream === OutputStream.STDERR ? 'stderr' : 'stdout';
          text[name] += decoders[name].decode(event.value.content, { stream: true });
        } else if (event.case === 'finished') {
          const { outcome, message } = event.value;
          const ended = endings[outcome];
          if (ended === undefined)
            throw new CrucibleError('unavailable', `the sandbox gave the program up: ${message}`);
          for (const name of ['stdout', 'stderr'] as const) text[name] += decoders[name].decode();
          return {
            ended,
            stdout: text.stdout,
            stderr: text.stderr === '' && ended !== 'finished' ? message : text.stderr,
          };
        }
      }
      throw new CrucibleError('unavailable', 'the sandbox broke off');
    },
  };
}

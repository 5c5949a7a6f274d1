/** Between the messages of sandbox.proto and libs/sandbox. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { invalidInput } from '@crucible/foundation';
import {
  Boundary,
  type ExecuteRequest,
  type ExecuteResponseSchema,
  type Limits as WireLimits,
  LimitsSchema,
  Outcome,
  OutputStream,
} from '@crucible/protos/sandbox/v1';
import type { BoundaryName, Limits, Outcome as OutcomeName, Program, RunResult, StreamName } from '@crucible/sandbox';

type Response = MessageInitShape<typeof ExecuteResponseSchema>;

export const boundaryOnWire: Readonly<Record<BoundaryName, Boundary>> = {
  bubblewrap: Boundary.BUBBLEWRAP,
  pyodide: Boundary.PYODIDE,
};

const outcomeOnWire: Readonly<Record<OutcomeName, Outcome>> = {
  ok: Outcome.OK,
  error: Outcome.ERROR,
  timeout: Outcome.TIMEOUT,
  memory: Outcome.MEMORY,
  output_limit: Outcome.OUTPUT_LIMIT,
  killed: Outcome.KILLED,
  cancelled: Outcome.CANCELLED,
};

const streamOnWire: Readonly<Record<StreamName, OutputStream>> = {
  stdout: OutputStream.STDOUT,
  stderr: OutputStream.STDERR,
};

/** Pieces are well below the size limit of a message. */
const pieceBytes = 1024 * 1024;

/** The fields as they are; libs/sandbox checks what they hold. */
export function programFrom({ code, args, stdin, files, value, collectFiles, limits }: ExecuteRequest): Program {
  return {
    code,
    args,
    stdin,
    files,
    collectFiles,
    limits: limitsFrom(limits ?? create(LimitsSchema)),
    ...(value.case === 'expression' && { expression: value.value }),
    ...(value.case === 'lastValue' && { lastValue: value.value }),
  };
}

export function assertRunId(runId: string): void {
  if (/^[\x21-\x7e]{0,128}$/.test(runId)) return;
  throw invalidInput('run_id: at most 128 visible ASCII characters are allowed', { at: 'run_id' });
}

export function* outputMessages(stream: StreamName, bytes: Uint8Array): Generator<Response> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const content = bytes.subarray(at, at + pieceBytes);
    yield { event: { case: 'output', value: { stream: streamOnWire[stream], content } } };
  }
}

export function* resultMessages(result: RunResult): Generator<Response> {
  for (const { path, content } of result.files) {
    for (let at = 0; at === 0 || at < content.length; at += pieceBytes) {
      const last = at + pieceBytes >= content.length;
      yield { event: { case: 'file', value: { path, content: content.subarray(at, at + pieceBytes), last } } };
    }
  }
  const { outcome, message, exitCode, exception, value, usage, boundary } = result;
  yield {
    event: {
      case: 'finished',
      value: {
        outcome: outcomeOnWire[outcome],
        message,
        boundary: boundaryOnWire[boundary],
        usage: { ...usage, peakMemoryBytes: BigInt(usage.peakMemoryBytes) },
        ...(exitCode !== undefined && { exitCode }),
        ...(exception && { exception }),
        ...(value && { value: { repr: value.repr, ...(value.json !== undefined && { json: value.json }) } }),
      },
    },
  };
}

function limitsFrom({ memoryBytes, ...limits }: WireLimits): Partial<Limits> {
  const { wallMs, cpuMs, processes, outputBytes, diskBytes, files } = limits;
  const given = {
    wallMs,
    cpuMs,
    processes,
    outputBytes,
    diskBytes,
    files,
    // What is above is out of range all the same.
    memoryBytes: memoryBytes === undefined ? undefined : Number(memoryBytes),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** POST /v1/sandbox/execute: runs a Python program, and answers whole or as server-sent events. */
import type { DescEnum } from '@bufbuild/protobuf';
import type { Context } from 'hono';
import { CrucibleError } from '@crucible/foundation';
import {
  BoundarySchema,
  type ExecutionFinished,
  OutcomeSchema,
  OutputStream,
  type SandboxService,
} from '@crucible/protos/sandbox/v1';
import type { Client } from '@crucible/rpc';
import { respondWithEvents, type StreamedEvent } from './event-stream.ts';
import { parseExecuteBody } from './execute-request.ts';
import { errorResponse } from './http-error.ts';
import { readJson } from './read-json.ts';

export interface ExecuteRouteDependencies {
  readonly sandbox: Client<typeof SandboxService>;
  /** Ends what runs when it is aborted; its reason, a CrucibleError, is what callers are told. */
  readonly closing: AbortSignal;
}

/** Milliseconds for the longest run and its wait in the queue. */
const deadlineMs = 900_000;

/** As the fields of JSON spell them: `output_limit`. */
function nameOf(schema: DescEnum, number: number): string {
  return schema.value[number]?.localName.toLowerCase() ?? 'unknown';
}

type Piece =
  | { readonly type: 'started'; readonly id: string; readonly boundary: string }
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly type: 'file'; readonly path: string; readonly content_base64: string }
  | ({ readonly type: 'finished' } & ReturnType<typeof finishedFields>);

export function createExecuteRoute({
  sandbox,
  closing,
}: ExecuteRouteDependencies): (context: Context) => Promise<Response> {
  return async (context) => {
    const { request, stream } = parseExecuteBody(await readJson(context));
    const left = new AbortController();
    const signal = AbortSignal.any([context.req.raw.signal, left.signal, closing]);
    const pieces = piecesOf(sandbox.execute(request, { signal, deadlineMs }));
    try {
      // What is wrong with the request is known before the first piece, and has a status of its own.
      const first = await pieces.next();
      return stream
        ? respondWithEvents(context, closing, (ended) => {
            ended.addEventListener('abort', () => left.abort());
            return events(first, pieces);
          })
        : context.json(await collect(first, pieces));
    } catch (reason) {
      return errorResponse(context, closing.aborted ? closing.reason : reason);
    }
  };
}

export async function sandboxInfo(sandbox: Client<typeof SandboxService>, signal: AbortSignal): Promise<object> {
  const { boundary, python, weaknesses, running, waiting } = await sandbox.getSandboxInfo(
    {},
    { signal, deadlineMs: 10_000 },
  );
  return { object: 'sandbox', boundary: nameOf(BoundarySchema, boundary), python, weaknesses, running, waiting };
}

type Pieces = AsyncGenerator<Piece, void, undefined>;

async function* piecesOf(responses: ReturnType<Client<typeof SandboxService>['execute']>): Pieces {
  // Characters may be cut between pieces.
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let file: Uint8Array[] = [];
  for await (const { event } of responses) {
    if (event.case === 'started') {
      yield { type: 'started', id: event.value.runId, boundary: nameOf(BoundarySchema, event.value.boundary) };
    } else if (event.case === 'output') {
      const stream = event.value.stream === OutputStream.STDERR ? 'stderr' : 'stdout';
      const text = decoders[stream].decode(event.value.content, { stream: true });
      if (text !== '') yield { type: 'output', stream, text };
    } else if (event.case === 'file') {
      file.push(event.value.content);
      if (!event.value.last) continue;
      yield { type: 'file', path: event.value.path, content_base64: Buffer.concat(file).toString('base64') };
      file = [];
    } else if (event.case === 'finished') {
      for (const stream of ['stdout', 'stderr'] as const) {
        const text = decoders[stream].decode();
        if (text !== '') yield { type: 'output', stream, text };
      }
      yield { type: 'finished', ...finishedFields(event.value) };
    }
  }
}

function finishedFields({ outcome, message, exitCode, exception, value, usage, boundary }: ExecutionFinished) {
  return {
    outcome: nameOf(OutcomeSchema, outcome),
    message,
    boundary: nameOf(BoundarySchema, boundary),
    exit_code: exitCode ?? null,
    exception: exception ? { type: exception.type, message: exception.message, traceback: exception.traceback } : null,
    // JSON as text: a number of any length stays as it is.
    value: value ? { repr: value.repr, json: value.json ?? null } : null,
    usage: {
      wall_ms: usage?.wallMs ?? 0,
      cpu_ms: usage?.cpuMs ?? 0,
      peak_memory_bytes: Number(usage?.peakMemoryBytes ?? 0),
      output_bytes: usage?.outputBytes ?? 0,
    },
  };
}

async function collect(first: IteratorResult<Piece, void>, rest: Pieces): Promise<object> {
  const said = { stdout: '', stderr: '' };
  const files: object[] = [];
  let id = '';
  for await (const piece of from(first, rest)) {
    if (piece.type === 'started') id = piece.id;
    else if (piece.type === 'output') said[piece.stream] += piece.text;
    else if (piece.type === 'file') files.push({ path: piece.path, content_base64: piece.content_base64 });
    else {
      const { outcome, message, boundary, exit_code, exception, value, usage } = piece;
      const end = { outcome, message, boundary, exit_code, exception, value, usage };
      return { id, object: 'sandbox.execution', ...end, ...said, files };
    }
  }
  throw new CrucibleError('unavailable', 'the sandbox did not say how the program ended');
}

async function* events(first: IteratorResult<Piece, void>, rest: Pieces): AsyncGenerator<StreamedEvent, void> {
  for await (const data of from(first, rest)) yield { data };
}

async function* from(first: IteratorResult<Piece, void>, rest: Pieces): Pieces {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

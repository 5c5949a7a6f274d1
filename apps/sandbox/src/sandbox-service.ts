/** The sandbox service: runs programs that nobody trusts, one interpreter each, and streams what they say. */
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bus, createEvent } from '@crucible/bus';
import { CrucibleError } from '@crucible/foundation';
import { SandboxService } from '@crucible/protos/sandbox/v1';
import { createServer, Health, implementService, type ServerTls } from '@crucible/rpc';
import { openSandbox, type OpenSandboxOptions, type RunResult, type Sandbox } from '@crucible/sandbox';
import { type Logger, logCalls, type Service } from '@crucible/service';
import { assertRunId, boundaryOnWire, outputMessages, programFrom, resultMessages } from './messages.ts';

export interface SandboxDependencies extends Pick<OpenSandboxOptions, 'boundary' | 'concurrency' | 'queue' | 'cache'> {
  /** Undefined: nobody is told. */
  readonly bus: Bus | undefined;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
}

/** Health of this name is SERVING only while the boundary is the strongest and nothing weakens it. */
const fullStrength = `${SandboxService.typeName}/full-strength`;
/** Milliseconds in which output is gathered before it is sent. */
const gatherMs = 5;

/**
 * Serves at once and opens the boundary meanwhile, which may take seconds; until then it is NOT_SERVING and calls wait.
 * Where no boundary can be had it stays NOT_SERVING, and refuses to run anything.
 */
export async function createSandboxService(dependencies: SandboxDependencies): Promise<Service> {
  const { bus, log, host, port, tls, concurrency = Math.max(2, availableParallelism()), ...options } = dependencies;
  const health = new Health();
  for (const name of ['', SandboxService.typeName, fullStrength]) health.set('NOT_SERVING', name);
  const opening = openSandbox({ ...options, concurrency });
  // Whoever needs it is told.
  opening.catch(() => undefined);
  const runs = new Set<string>();

  const service = implementService(SandboxService, {
    execute: async function* (request, { signal }) {
      const runId = request.runId === '' ? randomUUID() : request.runId;
      assertRunId(runId);
      if (runs.has(runId))
        throw new CrucibleError('conflict', `run_id: a run of the id ${runId} is under way`, { at: 'run_id' });
      const output = new OutputQueue();
      runs.add(runId);
      try {
        const sandbox = await orAborted(opening, signal);
        const running = sandbox
          .run(programFrom(request), { signal, onOutput: (stream, bytes) => output.push(stream, bytes) })
          .finally(() => output.end());
        running.then(
          (result) => tell(runId, result),
          () => undefined,
        );
        // What is wrong with the request, or that there is no room, is the status alone.
        await Promise.race([running, delay(0)]);
        yield { event: { case: 'started', value: { runId, boundary: boundaryOnWire[sandbox.state.boundary] } } };
        for await (const [stream, bytes] of output) yield* outputMessages(stream, bytes);
        yield* resultMessages(await running);
      } finally {
        runs.delete(runId);
      }
    },

    getSandboxInfo: async (_request, { signal }) => {
      const { boundary, python, weaknesses, running, waiting, warm } = (await orAborted(opening, signal)).state;
      return { boundary: boundaryOnWire[boundary], python, weaknesses: [...weaknesses], running, waiting, warm };
    },
  });

  function tell(runId: string, { boundary, outcome, exitCode, usage }: RunResult): void {
    const data = { runId, boundary, outcome, ...usage, ...(exitCode !== undefined && { exitCode }) };
    log.info(data, 'a program was run');
    bus
      ?.publish(createEvent('crucible.program.executed', { source: '/sandbox', subject: runId, data }))
      .catch((reason: unknown) =>
        log.warn({ runId, error: CrucibleError.from(reason).message }, 'an event was not published'),
      );
  }

  const server = await createServer({
    host,
    port,
    health,
    services: [service],
    onCallEnd: logCalls(log),
    ...(tls && { tls }),
  }).catch(async (reason: unknown) => {
    await opening.then((sandbox) => sandbox.close()).catch(() => undefined);
    throw reason;
  });
  void opening.then(
    ({ state: { boundary, python, weaknesses } }) => {
      for (const name of ['', SandboxService.typeName]) health.set('SERVING', name);
      if (weaknesses.length === 0) health.set('SERVING', fullStrength);
      log.info({ boundary, python, weaknesses }, 'the boundary stands');
    },
    (reason: unknown) => log.error({ error: CrucibleError.from(reason).message }, 'no program will be run'),
  );
  log.info({ target: server.target }, 'the sandbox serves');
  return {
    name: 'sandbox',
    target: server.target,
    close: async (graceMs = 10_000) => {
      const closed = server.drain({ graceMs });
      await Promise.race([closed, delay(graceMs)]);
      await opening.then((sandbox: Sandbox) => sandbox.close()).catch(() => undefined);
      await closed;
    },
  };
}

type Piece = readonly [stream: 'stdout' | 'stderr', bytes: Uint8Array];

/** Output on its way to a caller; what comes together goes together. Its size is bounded by the limit of output. */
class OutputQueue {
  #pieces: Piece[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(stream: Piece[0], bytes: Uint8Array): void {
    this.#pieces.push([stream, Uint8Array.from(bytes)]);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece> {
    while (this.#pieces.length > 0 || !this.#ended) {
      if (this.#pieces.length === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        await delay(gatherMs);
      }
      yield* joined(this.#pieces.splice(0));
    }
  }
}

function* joined(pieces: readonly Piece[]): Generator<Piece> {
  for (let from = 0; from < pieces.length;) {
    const [stream] = pieces[from]!;
    let to = from;
    while (pieces[to]?.[0] === stream) to++;
    yield [stream, Buffer.concat(pieces.slice(from, to).map(([, bytes]) => bytes))];
    from = to;
  }
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Runs one program in one interpreter within its limits, and judges what became of it. Never rejects. */
import { constants } from 'node:os';
import type { BoundaryName, Ending, Interpreter, OnOutput } from './boundary.ts';
import type { Exception, Outcome, RunResult, Value } from './outcome.ts';
import type { ResolvedProgram } from './program.ts';

export interface SuperviseOptions {
  readonly signal?: AbortSignal;
  /** Called with every piece of output up to the limit, as it comes. */
  readonly onOutput?: OnOutput;
}

/** What ended a run from outside, and for people why. */
type Stop = readonly [outcome: Outcome, message: string];

const sampleEveryMs = 20;
/** Milliseconds that a killed interpreter may take to be gone before its result is given. */
const waitForEndMs = 200;
const mostShownMessage = 300;

export async function supervise(
  boundary: BoundaryName,
  interpreter: Interpreter,
  program: ResolvedProgram,
  { signal, onOutput }: SuperviseOptions,
): Promise<RunResult> {
  const { limits } = program;
  const begun = performance.now();
  const killed = Promise.withResolvers<Ending>();
  let stop: Stop | undefined;
  let outputBytes = 0;
  const end = (outcome: Outcome, message: string): void => {
    if (stop !== undefined) return;
    stop = [outcome, message];
    interpreter.kill();
    // Its end is certain, and on a busy machine not at once.
    setTimeout(() => killed.resolve(interpreter.endingNow()), waitForEndMs);
  };
  const late = setTimeout(
    () => end('timeout', `it did not end within ${limits.wallMs} ms`),
    // A timer may fire a little early.
    limits.wallMs + 1,
  );
  const cancel = (): void => end('cancelled', 'it was cancelled');
  signal?.addEventListener('abort', cancel, { once: true });
  const watch = setInterval(() => {
    const { cpuMs, isTooLarge } = interpreter.sample();
    if (cpuMs > limits.cpuMs) end('timeout', `it used more than ${limits.cpuMs} ms of processor time`);
    if (isTooLarge) end('memory', `it used more than ${limits.memoryBytes} bytes of memory`);
  }, sampleEveryMs);
  const take: OnOutput = (stream, bytes) => {
    if (stop !== undefined) return;
    const room = limits.outputBytes - outputBytes;
    outputBytes += bytes.length;
    if (room > 0) onOutput?.(stream, bytes.subarray(0, room));
    if (bytes.length > room) end('output_limit', `it wrote more than ${limits.outputBytes} bytes of output`);
  };
  const running = interpreter.run(program, take);
  if (signal?.aborted) cancel();
  const ending = await Promise.race([running, killed.promise]);
  clearTimeout(late);
  clearInterval(watch);
  signal?.removeEventListener('abort', cancel);

  const report = parseReport(ending.answer?.report ?? '');
  const [outcome, message] = stop ?? judge(program, ending, report);
  const answer = stop === undefined ? ending.answer : undefined;
  return {
    outcome,
    message,
    exitCode: answer?.exitCode ?? undefined,
    exception: answer ? report?.exception : undefined,
    value: answer && outcome === 'ok' ? report?.value : undefined,
    files: answer && outcome !== 'output_limit' ? ending.files : [],
    usage: {
      wallMs: Math.round(performance.now() - begun),
      ...ending.usage,
      outputBytes: Math.min(outputBytes, limits.outputBytes),
    },
    boundary,
  };
}

/** Of a run that nobody ended from outside. */
function judge(program: ResolvedProgram, ending: Ending, report: Report | undefined): Stop {
  const { limits, expression, lastValue } = program;
  const { answer, breach, exit } = ending;
  const noMemory: Stop = ['memory', `it needed more than ${limits.memoryBytes} bytes of memory`];
  if (breach !== undefined) return ['killed', `it was ended for a breach of its channel: ${breach}`];
  if (answer === undefined) {
    if (ending.metMemoryLimit) return noMemory;
    const how = exit?.signal == null ? `exit code ${exit?.code}` : `signal ${exit.signal}`;
    const words = ending.lastWords === '' ? '' : `: ${ending.lastWords}`;
    return ['killed', `its interpreter ended without a word (${how})${words}`];
  }
  if (answer.signal !== null) {
    if (ending.metMemoryLimit) return noMemory;
    if (answer.signal === constants.signals.SIGXCPU)
      return ['timeout', `it used more than ${limits.cpuMs} ms of processor time`];
    return ['killed', `the signal ${signalName(answer.signal)} ended it`];
  }
  if (report?.exception?.type === 'MemoryError') return noMemory;
  if (answer.exceeded !== null) {
    return answer.exceeded === 'files'
      ? ['output_limit', `it left more than ${limits.files} files`]
      : ['output_limit', `it left files of more than ${limits.diskBytes} bytes`];
  }
  if (report?.exception) {
    const { type, message } = report.exception;
    return ['error', shorten(message === '' ? type : `${type}: ${message}`)];
  }
  if (answer.exitCode !== 0) return ['error', `it ended with exit code ${answer.exitCode}`];
  if (expression !== undefined && !report?.value) return ['error', 'it ended before the expression could be evaluated'];
  if (lastValue && !report) return ['error', 'it ended before its last statement'];
  return ['ok', ''];
}

interface Report {
  readonly exception: Exception | undefined;
  readonly value: Value | undefined;
}

/** The program could have written it itself: every field is checked. */
function parseReport(text: string): Report | undefined {
  try {
    const { exception, value } = JSON.parse(text) as { exception: unknown; value: unknown };
    return { exception: exceptionFrom(exception), value: valueFrom(value) };
  } catch {
    return undefined;
  }
}

function exceptionFrom(given: unknown): Exception | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { type, message, traceback } = given as Record<string, unknown>;
  if (typeof type !== 'string' || typeof message !== 'string' || typeof traceback !== 'string') return undefined;
  return { type, message, traceback };
}

function valueFrom(given: unknown): Value | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { repr, json } = given as Record<string, unknown>;
  if (typeof repr !== 'string') return undefined;
  return { repr, json: typeof json === 'string' && isJson(json) ? json : undefined };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? String(number);
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > mostShownMessage ? `${line.slice(0, mostShownMessage)}…` : line;
}

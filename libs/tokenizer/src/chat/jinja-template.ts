/**
 * Jinja templates, run by @huggingface/jinja: an interpreter that reaches nothing but the variables it is given. A
 * template is code all the same, from whoever made the model. Its time is bounded from outside, by the engine's watchdog,
 * which also stops single operations; texts and lists are bounded as they are made. What the interpreter makes before
 * the time is up is not bounded otherwise: lists nested in one another many times over may take a gigabyte to print.
 */
import { createContext, Script } from 'node:vm';
import * as jinja from '@huggingface/jinja';

/** Why a template could not be used; the message is the interpreter's, or what the template says in raise_exception. */
export class JinjaTemplateError extends Error {}

const longestTemplate = 2 ** 18;
const longestText = 2 ** 24;
const longestList = 2 ** 17;

/** What we use of the interpreter. (The package's type declarations do not resolve under Node's module rules.) */
interface RuntimeValue {
  readonly type: string;
  readonly value: unknown;
}
interface Scope {
  set(name: string, value: unknown): void;
}
interface Engine {
  run(program: Program): RuntimeValue;
  evaluate(statement: unknown, scope: Scope): RuntimeValue;
}
interface Program {
  readonly type: 'Program';
}
const engine = jinja as unknown as {
  readonly Environment: new () => Scope;
  readonly Interpreter: new (scope: Scope) => Engine;
  readonly parse: (tokens: unknown) => Program;
  readonly tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => unknown;
};

/** Milliseconds that one rendering may take. */
const longestRendering = 2_000;

export interface JinjaOptions {
  /** We wrote it ourselves: there is no watchdog, which costs a tenth of a millisecond. Default: false. */
  readonly isTrusted?: boolean;
  /** Milliseconds that one rendering may take. Default: 2000. */
  readonly longestRun?: number;
}

export class JinjaTemplate {
  readonly #program: Program;
  readonly #longestRun: number | undefined;

  /** Throws JinjaTemplateError for what is not Jinja. */
  constructor(source: string, { isTrusted = false, longestRun = longestRendering }: JinjaOptions = {}) {
    this.#longestRun = isTrusted ? undefined : longestRun;
    if (source.length > longestTemplate) {
      throw new JinjaTemplateError(`has ${source.length} characters; at most ${longestTemplate} are allowed`);
    }
    // White space is treated as transformers does.
    this.#program = this.#attempt(() =>
      engine.parse(engine.tokenize(source, { lstrip_blocks: true, trim_blocks: true })),
    );
  }

  /** Throws JinjaTemplateError when the template fails. */
  render(variables: Readonly<Record<string, unknown>>): string {
    return this.#attempt(() => {
      const scope = new engine.Environment();
      for (const [name, value] of Object.entries({ ...globals, ...variables })) scope.set(name, value);
      return bounded(new engine.Interpreter(scope)).run(this.#program).value as string;
    });
  }

  #attempt<T>(action: () => T): T {
    try {
      return this.#longestRun === undefined ? action() : withWatchdog(action, this.#longestRun);
    } catch (reason) {
      if (reason instanceof JinjaTemplateError) throw reason;
      throw new JinjaTemplateError(reason instanceof Error ? reason.message : String(reason), { cause: reason });
    }
  }
}

const watched: { run?: () => unknown } = {};
const watchedContext = createContext(watched);
const runWatched = new Script('run()');

/** The virtual machine is not there to keep anything out: it is what Node offers to stop code that runs too long. */
function withWatchdog<T>(action: () => T, milliseconds: number): T {
  watched.run = action;
  try {
    return runWatched.runInContext(watchedContext, { timeout: milliseconds }) as T;
  } catch (reason) {
    if ((reason as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      throw new JinjaTemplateError(`ran longer than ${milliseconds} ms`, { cause: reason });
    }
    throw reason;
  } finally {
    delete watched.run;
  }
}

/** What transformers defines for every template. */
const globals: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new JinjaTemplateError(String(message));
  },
  strftime_now: (format: unknown) => formatTime(new Date(), String(format)),
};

/** Checks the size of everything that is evaluated. */
function bounded(interpreter: Engine): Engine {
  const evaluate = interpreter.evaluate.bind(interpreter);
  interpreter.evaluate = (statement, scope) => {
    const result = evaluate(statement, scope);
    const { value } = result;
    if (typeof value === 'string' && value.length > longestText) {
      throw new JinjaTemplateError(`made a text of ${value.length} characters; at most ${longestText} are allowed`);
    }
    if (Array.isArray(value) && value.length > longestList) {
      throw new JinjaTemplateError(`made a list of ${value.length} items; at most ${longestList} are allowed`);
    }
    return result;
  };
  return interpreter;
}

/** Python's range, but of bounded length. */
function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= longestList)) {
    throw new JinjaTemplateError(`asked for a range of ${length} items; at most ${longestList} are allowed`);
  }
  return Array.from({ length }, (_, i) => from + i * step);
}

/** The directives of strftime that chat templates use, in English as Python's are by default; `%-d` is `%d` unpadded. */
function formatTime(date: Date, format: string): string {
  const name = (options: Intl.DateTimeFormatOptions): string => date.toLocaleDateString('en-US', options);
  const twoDigits = (value: number): string => String(value).padStart(2, '0');
  const directives: Readonly<Record<string, () => string>> = {
    Y: () => String(date.getFullYear()),
    y: () => twoDigits(date.getFullYear() % 100),
    m: () => twoDigits(date.getMonth() + 1),
    d: () => twoDigits(date.getDate()),
    H: () => twoDigits(date.getHours()),
    I: () => twoDigits(date.getHours() % 12 || 12),
    M: () => twoDigits(date.getMinutes()),
    S: () => twoDigits(date.getSeconds()),
    p: () => (date.getHours() < 12 ? 'AM' : 'PM'),
    F: () => formatTime(date, '%Y-%m-%d'),
    T: () => formatTime(date, '%H:%M:%S'),
    B: () => name({ month: 'long' }),
    b: () => name({ month: 'short' }),
    A: () => name({ weekday: 'long' }),
    a: () => name({ weekday: 'short' }),
    '%': () => '%',
  };
  return format.replace(/%(-?)(.)/g, (directive: string, unpadded: string, letter: string) => {
    const value = Object.hasOwn(directives, letter) ? directives[letter] : undefined;
    if (value === undefined) throw new JinjaTemplateError(`strftime_now: ${directive} is not supported`);
    return unpadded === '-' ? value().replace(/^0(?=.)/, '') : value();
  });
}

/**
 * The programs of PAL (Gao et al., 2022) as far as sums need them: one function `solution()` of assignments and a
 * return. They are evaluated here, exactly, and never run as Python.
 *
 *     program    = "def solution():" , [ docstring ] , { assignment } , "return" expression
 *     assignment = name "=" expression
 *     expression = sums of products of factors: + - * / // % ( ) , numbers, names that were assigned before
 */
import type { Rational } from './rational.ts';
import { add, divide, floor, isZero, multiply, negate, parseRational, subtract } from './rational.ts';

export type Evaluation =
  | { readonly ok: true; readonly value: Rational }
  /** `error` says what is wrong, for a person. */
  | { readonly ok: false; readonly error: string };

const header = 'def solution():';

/** Longer sources are refused unread. */
const longestSource = 4096;

const deepestNesting = 50;

/** Repeated squaring doubles the digits with every line; beyond this it is refused. */
const longestNumber = 10n ** 400n;

/** Evaluates a program; fences of Markdown must have been taken off. */
export function evaluateProgram(source: string): Evaluation {
  return evaluation(source, () => {
    const [first, ...body] = statementLines(source);
    if (first !== header) throw new ProgramError(`the first line must be ${header}`);
    const names = new Map<string, Rational>();
    const indent = /^ */.exec(body[0] ?? '')![0].length;
    if (indent === 0) throw new ProgramError('the body must be indented');
    for (const [i, line] of body.entries()) {
      if (!line.startsWith(' '.repeat(indent)) || line[indent] === ' ') {
        throw new ProgramError(`${line.trim()}: all lines of the body must be indented alike`);
      }
      const statement = line.slice(indent);
      const returned = /^return\b(.*)$/.exec(statement);
      if (returned !== null) {
        if (i < body.length - 1) throw new ProgramError('nothing may follow the return');
        return evaluateIn(returned[1]!, names);
      }
      const assignment = /^([A-Za-z_]\w*) *=(?!=)(.*)$/.exec(statement);
      if (assignment === null) throw new ProgramError(`${statement}: is neither an assignment nor a return`);
      names.set(assignment[1]!, evaluateIn(assignment[2]!, names));
    }
    throw new ProgramError('there is no return');
  });
}

/** Evaluates an expression without names. */
export function evaluateExpression(source: string): Evaluation {
  return evaluation(source, () => evaluateIn(source, new Map()));
}

class ProgramError extends Error {}

function evaluation(source: string, evaluate: () => Rational): Evaluation {
  if (source.length > longestSource) return { ok: false, error: `it is longer than ${longestSource} characters` };
  try {
    return { ok: true, value: evaluate() };
  } catch (reason) {
    if (reason instanceof ProgramError) return { ok: false, error: reason.message };
    throw reason;
  }
}

/** The lines that do something: no blank ones, no comments, no docstring. */
function statementLines(source: string): string[] {
  const lines = source.split('\n').map((line) => line.replace(/#.*$/, '').trimEnd());
  return lines.filter((line) => line.trim() !== '' && !/^\s*("""[^"]*"""|'''[^']*'''|"[^"]*"|'[^']*')$/.test(line));
}

type Names = ReadonlyMap<string, Rational>;

function evaluateIn(source: string, names: Names): Rational {
  const parser = new ExpressionParser(source, names);
  const value = parser.sum();
  parser.end();
  return value;
}

class ExpressionParser {
  readonly #tokens: readonly string[];
  readonly #names: Names;
  #position = 0;
  #depth = 0;

  constructor(source: string, names: Names) {
    this.#tokens = source.match(/\d+\.?\d*|\.\d+|[A-Za-z_]\w*|\/\/|\S/g) ?? [];
    this.#names = names;
  }

  sum(): Rational {
    let value = this.#product();
    for (;;) {
      if (this.#take('+')) value = limited(add(value, this.#product()));
      else if (this.#take('-')) value = limited(subtract(value, this.#product()));
      else return value;
    }
  }

  end(): void {
    const rest = this.#tokens[this.#position];
    if (rest !== undefined) throw new ProgramError(`${rest}: is not expected here`);
  }

  #product(): Rational {
    let value = this.#factor();
    for (;;) {
      if (this.#take('*')) value = limited(multiply(value, this.#factor()));
      else if (this.#take('/')) value = limited(divide(value, this.#divisor()));
      else if (this.#take('//')) value = floor(divide(value, this.#divisor()));
      else if (this.#take('%')) value = remainder(value, this.#divisor());
      else return value;
    }
  }

  #divisor(): Rational {
    const value = this.#factor();
    if (isZero(value)) throw new ProgramError('division by zero');
    return value;
  }

  #factor(): Rational {
    if (++this.#depth > deepestNesting) throw new ProgramError('it is nested too deeply');
    try {
      if (this.#take('-')) return negate(this.#factor());
      if (this.#take('+')) return this.#factor();
      if (this.#take('(')) {
        const value = this.sum();
        if (!this.#take(')')) throw new ProgramError('a parenthesis is not closed');
        return value;
      }
      return this.#atom();
    } finally {
      this.#depth--;
    }
  }

  #atom(): Rational {
    const token = this.#tokens[this.#position++];
    if (token === undefined) throw new ProgramError('an expression ends too early');
    const value = this.#names.get(token) ?? parseRational(token);
    if (value === undefined) throw new ProgramError(`${token}: is neither a number nor a name that has a value`);
    return value;
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#position] !== token) return false;
    this.#position++;
    return true;
  }
}

/** Has the sign of the divisor, as in Python. */
function remainder(a: Rational, b: Rational): Rational {
  return limited(subtract(a, multiply(b, floor(divide(a, b)))));
}

function limited(value: Rational): Rational {
  const { numerator, denominator } = value;
  if (numerator > longestNumber || numerator < -longestNumber || denominator > longestNumber) {
    throw new ProgramError('a number grows too large');
  }
  return value;
}

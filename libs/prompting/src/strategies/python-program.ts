/** Programs in what a model writes, and the value that a program comes to. */
import { randomUUID } from 'node:crypto';
import type { CodeResult } from '../code-runner.ts';

/**
 * The program of an answer: the last fenced block that defines `solution()`, or all fenced blocks together; without
 * fences, what begins like Python. Undefined: there is none.
 */
export function extractProgram(text: string): string | undefined {
  // A fence that is not closed was broken off, or ends with the answer.
  const fenced = Array.from(
    text.matchAll(/^[ \t]*(`{3,}|~{3,})[^\n`]*\n([\s\S]*?)(?:^[ \t]*\1|(?![\s\S]))/gm),
    (match) => dedented(match[2]!),
  );
  const blocks = fenced.filter((block) => block.trim() !== '');
  if (blocks.length > 0) return blocks.findLast((block) => definesSolution(block)) ?? blocks.join('\n');
  const begin = /^(?:def |import |from \w+ import |class |@|#|[A-Za-z_]\w*\s*=(?!=)|print\(|for |while )/m.exec(text);
  if (begin === null) return undefined;
  const program = text.slice(begin.index).trimEnd();
  return definesSolution(program) ? upToProse(program) : program;
}

function definesSolution(program: string): boolean {
  return /^(?:async )?def solution\s*\(\s*\)/m.test(program);
}

/** Up to the first line that is not Python's at the margin: what the model says about its program. */
function upToProse(program: string): string {
  const lines = program.split('\n');
  const end = lines.findIndex(
    (line, i) =>
      i > 0 &&
      /^\p{L}[\p{L}']*[ ,:](?!=)/u.test(line) &&
      !/^(?:def|class|import|from|if|for|while|try|with|return|print|else|elif|except|finally|assert|del|global|async|raise|pass)\b|=|\(/.test(
        line,
      ),
  );
  return (end < 0 ? lines : lines.slice(0, end)).join('\n').trimEnd();
}

function dedented(block: string): string {
  const lines = block.split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)![0].length);
  const common = Math.min(...indents);
  return lines
    .map((line) => line.slice(common))
    .join('\n')
    .trimEnd();
}

export interface ValuedProgram {
  /** To be run. */
  readonly program: string;
  /** Takes the value out of what the program printed. */
  readonly read: (result: CodeResult) => CodeResult & { readonly value?: string };
}

/**
 * A program that ends by telling its value: that of its last line if that is an expression, else of `solution()`, else
 * of the variable `answer`, else what it printed last. (The four ways of PAL's authors, in the order in which none
 * hides another.) Truth values are yes and no; floats have 15 digits, so that 0.1 + 0.2 is 0.3, and at most `decimals`
 * of them behind the point.
 */
export function withValue(source: string, { decimals }: { readonly decimals?: number } = {}): ValuedProgram {
  // No program knows it, so that none can print a value by accident.
  const mark = `value-${randomUUID()}`;
  const program = `import ast as _ast
_tree = _ast.parse(${JSON.stringify(source)}, "program.py")
_last = None
if _tree.body and isinstance(_tree.body[-1], _ast.Expr):
    _last = compile(_ast.Expression(_tree.body.pop().value), "program.py", "eval")
_names = {"__name__": "__main__"}
exec(compile(_tree, "program.py", "exec"), _names)
_value = eval(_last, _names) if _last is not None else None
if _value is None and callable(_names.get("solution")):
    _value = _names["solution"]()
if _value is None and not callable(_names.get("solution")):
    _value = _names.get("answer")
def _text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return format(${decimals === undefined ? 'value' : `round(value, ${decimals})`}, ".15g")
    if isinstance(value, (list, tuple, set)):
        return ", ".join(_text(item) for item in (sorted(value, key=str) if isinstance(value, set) else value))
    return str(value)
if _value is not None:
    print("\\n${mark} " + _text(_value).replace("\\n", " ")[:10000])
`;
  return {
    program,
    read: (result) => {
      const at = result.stdout.lastIndexOf(`\n${mark} `);
      const stdout = at < 0 ? result.stdout : result.stdout.slice(0, at);
      if (result.ended !== 'finished') return { ...result, stdout };
      const printed = stdout.trimEnd().split('\n').at(-1)!.trim();
      const value = at < 0 ? printed : result.stdout.slice(at + mark.length + 2).trim();
      return { ...result, stdout, ...(value !== '' && { value }) };
    },
  };
}

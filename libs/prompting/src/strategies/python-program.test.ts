import { describe, expect, it } from 'vitest';
import { createPythonRunner, findPython } from '../testing/python-runner.ts';
import { extractProgram, withValue } from './python-program.ts';

const solution = 'def solution():\n    a = 2\n    return a';

describe('the program in an answer', () => {
  it.each<[string, string, string | undefined]>([
    ['is the answer', solution, solution],
    ['stands in a fence', `Here it is:\n\`\`\`python\n${solution}\n\`\`\`\nIt returns 2.`, solution],
    ['stands in a fence without a language', `\`\`\`\n${solution}\n\`\`\``, solution],
    ['stands in a fence that is not closed', `\`\`\`python\n${solution}`, solution],
    ['stands in tildes', `~~~py\n${solution}\n~~~`, solution],
    [
      'is the last of several that define solution()',
      `\`\`\`python\ndef solution():\n    return 1\n\`\`\`\nBetter:\n\`\`\`python\n${solution}\n\`\`\`\n\`\`\`\n2\n\`\`\``,
      solution,
    ],
    ['comes in parts', '```python\nx = 2\n```\nthen\n```python\nprint(x)\n```', 'x = 2\nprint(x)'],
    [
      'is indented in a list',
      `1. Like this:\n   \`\`\`python\n   def solution():\n       return 2\n   \`\`\``,
      'def solution():\n    return 2',
    ],
    ['has prose before and after it', `Let us see.\n${solution}\n\nThis function returns two.`, solution],
    [
      'has helpers after solution()',
      `${solution}\n\ndef helper(x):\n    return x\nprint(solution())`,
      `${solution}\n\ndef helper(x):\n    return x\nprint(solution())`,
    ],
    ['is no function', 'answer = 3 * 4', 'answer = 3 * 4'],
    ['imports', 'from math import sqrt\nprint(sqrt(4))', 'from math import sqrt\nprint(sqrt(4))'],
    ['is not there', 'The answer is 5.', undefined],
    ['is empty', '```python\n```', undefined],
  ])('%s', (_what, text, program) => {
    expect(extractProgram(text)).toBe(program);
  });
});

const python = findPython();

describe.skipIf(python === undefined)(
  python === undefined ? 'programs in Python (skipped: there is no Python 3)' : 'programs in Python',
  () => {
    const runner = createPythonRunner(python!);

    async function valueOf(source: string, timeoutMs = 10_000) {
      const { program, read } = withValue(source);
      return read(await runner.run(program, { timeoutMs, signal: new AbortController().signal }));
    }

    it.each<[string, string, string | undefined]>([
      ['solution()', solution, '2'],
      ['solution() that prints too', 'def solution():\n    print("working", end="")\n    return 7', '7'],
      ['solution() that prints alone', 'def solution():\n    print("working")\n    print(8)', '8'],
      ['the last line', 'x = 3\nx * 4', '12'],
      ['a last line that calls it', `${solution}\nsolution()`, '2'],
      ['a last line that prints it', `${solution}\nprint("The answer is", solution())`, '2'],
      ['a variable', 'answer = 3 * 4', '12'],
      ['what was printed last', 'print(1)\nprint("two  ")', 'two'],
      ['a truth value', 'answer = 3 > 4', 'no'],
      ['a float as people write it', 'answer = 0.1 + 0.2', '0.3'],
      ['a large product, with all of its digits', 'answer = 9283 * 31231.231', '289919517.373'],
      ['a large integer', 'answer = 10 ** 30 + 1', '1000000000000000000000000000001'],
      ['a list', 'answer = [1, 2.50, True]', '1, 2.5, yes'],
      ['text of any characters', 'answer = "Zürich 😀\\u2028 \\"x\\" \\\\"', 'Zürich 😀\u2028 "x" \\'],
      ['nothing', 'x = 5', undefined],
      ['nothing, though solution() is there and answer too', 'answer = 5\ndef solution():\n    pass', undefined],
    ])('come to %s', async (_what, source, value) => {
      const result = await valueOf(source);
      expect(result).toMatchObject({ ended: 'finished', stderr: '' });
      expect(result.value).toBe(value);
    });

    it('print what they print, without the value', async () => {
      expect((await valueOf('print("one")\nanswer = 2')).stdout.trimEnd()).toBe('one');
    });

    it.each([
      ['def solution():\n    return 1 / 0', 'ZeroDivisionError: division by zero'],
      ['def solution(:', 'SyntaxError'],
      ['import no_such_module', "ModuleNotFoundError: No module named 'no_such_module'"],
      ['raise SystemExit(3)', ''],
    ])('%j fails', async (source, error) => {
      const result = await valueOf(source);
      expect(result).toMatchObject({ ended: 'failed' });
      expect(result.stderr).toContain(error);
      expect(result).not.toHaveProperty('value');
    });

    it('that do not end are ended', async () => {
      expect(await valueOf('while True: pass', 500)).toMatchObject({ ended: 'timeout' });
    });
  },
);

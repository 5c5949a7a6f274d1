/** `python`: runs a program, or works out an expression. Every use has an interpreter of its own. */
import type { CodeRunner } from './code-runner.ts';
import { withValue } from './strategies/python-program.ts';
import type { Tool } from './tool.ts';

export interface PythonToolOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Of floats, behind the point. Default: all that a float has. Forged models have learned with 6. */
  readonly decimals?: number;
}

export function createPythonTool(code: CodeRunner, { timeoutMs = 10_000, decimals }: PythonToolOptions = {}): Tool {
  return {
    name: 'python',
    description: 'runs Python and shows what it prints, or the value of its last line; nothing is kept between uses',
    parameters: {
      type: 'object',
      properties: { expression: { type: 'string', minLength: 1, description: 'an expression or a program' } },
      required: ['expression'],
      additionalProperties: false,
    },
    run: async ({ expression }, { signal }) => {
      const { program, read } = withValue(String(expression), decimals === undefined ? {} : { decimals });
      const { ended, stdout, stderr, value } = read(await code.run(program, { timeoutMs, signal }));
      switch (ended) {
        case 'finished':
          return {
            text: [stdout.trimEnd(), value === stdout.trimEnd().split('\n').at(-1) ? '' : (value ?? '')]
              .filter((part) => part !== '')
              .join('\n'),
          };
        case 'failed':
          return { text: stderr.trim().split('\n').slice(-3).join('\n') };
        case 'timeout':
          return { text: `It did not end within ${timeoutMs / 1000} seconds.` };
        case 'memory':
          return { text: 'It needs too much memory.' };
        case 'output':
          return { text: 'It prints too much.' };
      }
    },
  };
}

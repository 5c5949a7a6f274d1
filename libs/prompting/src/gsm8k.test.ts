/** Prompts made of the training problems of GSM8K. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isSameAnswer } from './answers/task-answer.ts';
import { createStrategy } from './catalog.ts';
import { estimateTokens } from './chat-model.ts';
import { type Example, parseExamples } from './examples.ts';
import { findPython } from './testing/python-runner.ts';
import { number, run } from './testing/run.ts';
import { scriptedModel } from './testing/scripted-model.ts';

const folder = fileURLToPath(new URL('../../../../shared/data/math/', import.meta.url));
const read = (name: string): Example[] => parseExamples(readFileSync(`${folder}${name}`, 'utf8'), name);

describe.skipIf(!existsSync(folder))('GSM8K (needs ../shared/data)', () => {
  it('every training problem is an example, nearly all with a program', () => {
    const examples = read('gsm8k-train.jsonl');
    expect(examples).toHaveLength(7473);
    expect(examples.filter(({ reasoning }) => reasoning !== undefined)).toHaveLength(7473);
    expect(examples[0]).toEqual({
      question: expect.stringMatching(/^Natalia sold clips to 48/) as string,
      answer: '72',
      reasoning: 'Natalia sold 48/2 = 24 clips in May.\nNatalia sold 48+24 = 72 clips altogether in April and May.',
      program: 'def solution():\n    step1 = 48/2\n    step2 = 48+step1\n    return step2',
    });
    expect(examples.filter(({ program }) => program !== undefined)).toHaveLength(7001);
  });

  const python = findPython();

  it.skipIf(python === undefined)('the programs come to the answers (needs Python 3)', () => {
    const withPrograms = read('gsm8k-train.jsonl').filter(({ program }) => program !== undefined);
    const program =
      'import json, sys\nfor each in json.load(sys.stdin):\n    names = {}\n    exec(each, names)\n    print(names["solution"]())';
    const { stdout, stderr } = spawnSync(python!, ['-I', '-c', program], {
      input: JSON.stringify(withPrograms.map((each) => each.program)),
      encoding: 'utf8',
      maxBuffer: 1e8,
    });
    expect(stderr).toBe('');
    const values = stdout.trim().split('\n');
    expect(withPrograms.filter(({ answer }, i) => !isSameAnswer(values[i]!, answer, number))).toEqual([]);
  });

  it.each(['few-shot', 'cot', 'pal'])('%s shows the most similar problems, as many as fit', async (name) => {
    const examples = read('gsm8k-train.jsonl').filter(({ program }) => program !== undefined);
    const [problem] = read('gsm8k-test.jsonl');
    const strategy = createStrategy(name, { examples, choice: { count: 8, select: 'similar' } });
    const model = scriptedModel(['```python\nanswer = 18\n```'], { contextTokens: 1000 });
    const code = { run: () => Promise.resolve({ ended: 'finished', stdout: '18', stderr: '' } as const) };
    const { of, reason } = await run(
      strategy,
      { question: problem!.question, answer: number },
      { model, code },
      { sampling: { maxTokens: 200 } },
    );
    expect(reason).toBe('finished');
    const { chosen, leftOut } = of('examples')[0]!;
    expect(chosen.length).toBeGreaterThan(1);
    expect(chosen.length + leftOut).toBe(8);
    // Its own words: ducks that lay eggs.
    expect(chosen.at(-1)).toMatch(/\beggs?\b/);
    const { messages } = model.requests[0]!;
    expect(messages.reduce((sum, { content }) => sum + estimateTokens(content), 0)).toBeLessThanOrEqual(800);
    const shown = messages.filter(({ role }) => role === 'assistant').at(-1)!.content;
    const [last] = examples.filter(({ question }) => question === chosen.at(-1));
    expect(shown).toBe(
      {
        'few-shot': last!.answer,
        cot: `${last!.reasoning}\nThe answer is ${last!.answer}.`,
        pal: `\`\`\`python\n${last!.program}\n\`\`\``,
      }[name],
    );
  });
});

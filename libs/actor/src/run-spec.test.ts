import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { StartRunSchema } from '@crucible/protos/actor/v1';
import { type RunSpec, runSpecFromMessage, startFromRunSpec } from './run-spec.ts';

function overTheWire(spec: RunSpec): RunSpec {
  const start = create(StartRunSchema, startFromRunSpec(spec));
  return runSpecFromMessage(fromBinary(StartRunSchema, toBinary(StartRunSchema, start)));
}

describe('the specification of a run', () => {
  it('comes back as it was', () => {
    const full: RunSpec = {
      runId: 'run-1',
      strategy: 'react',
      model: 'chat:polite',
      question: 'Who?',
      history: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
      ],
      system: 'Be brief.',
      answer: { kind: 'choice', choices: ['red', 'green'] },
      examples: [
        { question: '1+1', answer: '2' },
        { question: '2+2', answer: '4', reasoning: 'twice two', program: 'answer = 4' },
      ],
      choice: { count: 3, select: 'similar' },
      knowledge: { collection: 'tea', documents: ['a', 'b'], filter: { year: { gte: 2020 }, or: [{ tag: 'x' }] } },
      tools: ['search', 'browser'],
      sampling: { temperature: 0, topP: 0.5, seed: 7, maxTokens: 9 },
      samples: 4,
      limits: { steps: 1, timeMs: 2, tokens: 3 },
      react: { actions: 'native', maxSteps: 2, observationTokens: 50 },
      wording: 'forged',
      ragPassages: 3,
      pictures: true,
    };
    const least: RunSpec = { strategy: 'direct', question: '' };
    expect(overTheWire(full)).toStrictEqual(full);
    expect(overTheWire(least)).toStrictEqual(least);
    for (const kind of ['text', 'number', 'yes-no', 'date'] as const)
      expect(overTheWire({ ...least, answer: { kind } })).toStrictEqual({ ...least, answer: { kind } });
  });

  it.each([
    ['choices', { choices: ['a', 'b'] }, 'choices: they are for ANSWER_KIND_CHOICE alone'],
    ['answer_kind', { answerKind: 9 }, 'answer_kind: 9 is given; 1, 2, 3, 4, 5 are allowed'],
    ['wording', { wording: 5 }, 'wording: 5 is given; 1, 2 are allowed'],
    ['react.actions', { react: { actions: 4 } }, 'react.actions: 4 is given; 1, 2 are allowed'],
    ['history[0].role', { history: [{}] }, 'history[0].role: 0 is given; 1, 2, 3, 4 are allowed'],
  ] as const)('names the field that stands for nothing: %s', (at, init, message) => {
    expect(() => runSpecFromMessage(create(StartRunSchema, init as object))).toThrow(
      expect.objectContaining({ code: 'invalid-input', at, message }) as Error,
    );
  });
});

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { Passage, Step, StepBody } from '@crucible/prompting';
import { type NoticeKind, StepSchema } from '@crucible/protos/actor/v1';
import { messageFromStep, stepFromMessage } from './step-message.ts';

const passage: Passage = {
  document: { id: 'a/b.md', title: 'Ä title' },
  text: 'Paris is a city.',
  start: 3,
  end: 19,
  score: 0.1 + 0.2,
};

/** Every kind, with all that it may have and with as little. */
const bodies: { readonly [K in StepBody['kind']]: readonly Extract<StepBody, { readonly kind: K }>[] } = {
  prompt: [
    {
      kind: 'prompt',
      call: 1,
      purpose: 'turn 1',
      maxTokens: 512,
      messages: [
        { role: 'system', content: '' },
        { role: 'user', content: 'Wie geht’s? 🙂\n' },
        { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'search', arguments: '{"title":' }] },
        { role: 'tool', content: 'found', callId: 'c1' },
        { role: 'tool', content: 'Observation 1: found' },
        { role: 'assistant', content: 'so' },
      ],
    },
    { kind: 'prompt', call: 2, purpose: '', maxTokens: 1, messages: [] },
  ],
  text: [{ kind: 'text', call: 3, answer: 4, text: ' a' }],
  completion: [
    { kind: 'completion', call: 1, answer: 0, text: 'x', finish: 'stop' },
    { kind: 'completion', call: 1, answer: 1, text: '', finish: 'length' },
    {
      kind: 'completion',
      call: 1,
      answer: 2,
      text: '',
      finish: 'tool-calls',
      toolCalls: [{ id: '', name: 'f', arguments: '' }],
    },
    { kind: 'completion', call: 1, answer: 3, text: '', finish: 'refused' },
    { kind: 'completion', call: 1, answer: 4, text: 'hal', finish: 'cut' },
  ],
  examples: [{ kind: 'examples', chosen: ['a', 'b'], leftOut: 3 }],
  thought: [{ kind: 'thought', step: 1, text: 'I should search' }],
  action: [
    {
      kind: 'action',
      step: 1,
      tool: 'add',
      input: { a: 1.5, b: [null, true, 'x', { c: {} }], __proto__x: -1e300, '': '' },
      callId: '',
    },
    { kind: 'action', step: 2, tool: 'nothing', input: {} },
  ],
  observation: [
    { kind: 'observation', step: 1, text: 'seen', omitted: 70_000, failed: true, passages: [passage] },
    {
      kind: 'observation',
      step: 1,
      text: 'shown',
      omitted: 0,
      failed: false,
      pictures: [{ id: '0af1', width: 1280, height: 720, bytes: 70_000 }],
    },
    { kind: 'observation', step: 2, text: '', omitted: 0, failed: false },
  ],
  program: [{ kind: 'program', attempt: 1, program: 'def solution():\n  return 1' }],
  'program-result': (['finished', 'failed', 'timeout', 'memory', 'output'] as const).map((ended) => ({
    kind: 'program-result',
    attempt: 2,
    ended,
    stdout: 'a\n',
    stderr: 'b',
    ...(ended === 'finished' && { value: '' }),
  })),
  passages: [
    { kind: 'passages', query: 'paris', passages: [passage, { ...passage, score: -0 }] },
    { kind: 'passages', query: '', passages: [] },
  ],
  vote: [{ kind: 'vote', votes: [{ key: '4', count: 3 }], invalid: 1, tied: true }],
  'fall-back': [{ kind: 'fall-back', to: 'react', reason: 'less than half agree' }],
  notice: (
    ['malformed-action', 'unknown-tool', 'loop', 'observation-dropped', 'bad-citation', 'sample-failed'] as const
  ).map((what) => ({ kind: 'notice', what, text: 'it was so' })),
  answer: [
    {
      kind: 'answer',
      partial: true,
      status: 'answered',
      text: '4 [1]',
      key: '',
      confidence: 0,
      citations: [{ number: 1, passage, supported: true }],
    },
    ...(['step-limit', 'loop', 'context', 'no-action'] as const).map((forced) => ({
      kind: 'answer' as const,
      partial: false,
      status: 'none' as const,
      text: '',
      forced,
    })),
    { kind: 'answer', partial: false, status: 'not-found', text: 'The passages do not say.' },
  ],
  end: [
    ...(['finished', 'steps', 'time', 'tokens', 'context', 'cancelled'] as const).map((reason) => ({
      kind: 'end' as const,
      reason,
      usage: { calls: 1, promptTokens: 2, completionTokens: 3, estimated: true },
    })),
    {
      kind: 'end',
      reason: 'error',
      usage: { calls: 0, promptTokens: 0, completionTokens: 0, estimated: false },
      error: { code: 'unavailable', message: 'the model is gone', at: 'model' },
    },
  ],
};

function overTheWire(step: Step): Step {
  return stepFromMessage(fromBinary(StepSchema, toBinary(StepSchema, create(StepSchema, messageFromStep(step)))));
}

describe('steps as messages', () => {
  const all = Object.values<readonly StepBody[]>(bodies).flat();

  it.each(all.map((body) => [body.kind, body] as const))('come back as they were: %s', (_kind, body) => {
    for (const place of [
      { number: 1, elapsedMs: 0, strategy: 'react' },
      { number: 70_000, elapsedMs: 2 ** 31, strategy: 'cot', sample: [0, 3] },
    ])
      expect(overTheWire({ ...body, ...place })).toStrictEqual({ ...body, ...place });
  });

  it('hold what a server counts wrongly within what can be said', () => {
    const usage = { calls: 1, promptTokens: -4, completionTokens: NaN, estimated: false };
    const step: Step = { kind: 'end', reason: 'finished', usage, number: 1, elapsedMs: 0, strategy: 'direct' };
    expect(overTheWire(step)).toMatchObject({ usage: { promptTokens: 0, completionTokens: 0 } });
  });

  it('are refused where nothing is known of them', () => {
    const message = (init: Parameters<typeof create<typeof StepSchema>>[1]) => create(StepSchema, init);
    expect(() => stepFromMessage(message({ number: 7 }))).toThrow('step 7: it is of a kind that is not known here');
    expect(() =>
      stepFromMessage(message({ number: 8, body: { case: 'notice', value: { what: 99 as NoticeKind } } })),
    ).toThrow('step 8.what: 99 is given; 1, 2, 3, 4, 5, 6 are allowed');
  });
});

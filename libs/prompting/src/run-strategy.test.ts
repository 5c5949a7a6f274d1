import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { collectRun, runStrategy } from './run-strategy.ts';
import { createDirect } from './strategies/direct.ts';
import { createReact } from './strategies/react.ts';
import { createSelfConsistency } from './strategies/self-consistency.ts';
import { createStepByStep } from './strategies/step-by-step.ts';
import { number, run } from './testing/run.ts';
import { scriptedModel } from './testing/scripted-model.ts';
import type { Tool } from './tool.ts';

const wait: Tool = {
  name: 'wait',
  description: 'waits for ever, whatever the signal says',
  parameters: { type: 'object', properties: { what: { type: 'string' } }, required: ['what'] },
  run: () => new Promise(() => undefined),
};

describe('a run', () => {
  it('is a trace of numbered steps: the prompt, the text as it comes, the answer, one end', async () => {
    const model = scriptedModel([{ text: 'It is Paris, of course.', usage: { promptTokens: 9, completionTokens: 6 } }]);
    const { steps, outcome, reason } = await run(
      createDirect(),
      {
        question: 'What is the capital?',
        system: 'Be brief.',
        history: [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Hello' },
        ],
      },
      { model },
    );
    expect(steps.map(({ kind }) => kind)).toEqual([
      'prompt',
      'text',
      'text',
      'text',
      'text',
      'completion',
      'answer',
      'end',
    ]);
    expect(steps.map((step) => step.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(steps[0]).toMatchObject({
      strategy: 'direct',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
        { role: 'user', content: 'What is the capital?' },
      ],
    });
    expect(steps.flatMap((step) => (step.kind === 'text' ? step.text : [])).join('')).toBe('It is Paris, of course.');
    expect({ outcome, reason }).toEqual({
      reason: 'finished',
      outcome: { status: 'answered', text: 'It is Paris, of course.', key: 'it is paris of course' },
    });
    expect(steps.at(-1)).toMatchObject({
      kind: 'end',
      usage: { calls: 1, promptTokens: 9, completionTokens: 6, estimated: false },
    });
    expect(JSON.parse(JSON.stringify(steps))).toEqual(steps);
  });

  it('gives the model its sampling, and draws as it is told', async () => {
    const model = scriptedModel(['x']);
    await run(createDirect(), 'q', { model }, { sampling: { temperature: 0.3, topP: 0.9, seed: 7, maxTokens: 11 } });
    expect(model.requests[0]).toMatchObject({ temperature: 0.3, topP: 0.9, seed: 7, maxTokens: 11 });
  });

  it('refuses what is wrong before anything is asked', () => {
    const model = scriptedModel(['x']);
    const start =
      (...[task, options, strategy = createDirect()]: [object, object?, ReturnType<typeof createDirect>?]) =>
      () =>
        runStrategy(strategy, { question: 'q', ...task }, { model }, options);
    expect(start({ question: ' ' })).toThrow('question: it is empty');
    expect(start({}, { sampling: { temperature: 3 } })).toThrow(
      'sampling.temperature: 3 is given; a number from 0 to 2 is allowed',
    );
    expect(start({}, { limits: { steps: 0 } })).toThrow(
      'limits.steps: 0 is given; a whole number of at least 1 is allowed',
    );
    expect(start({ answer: { kind: 'choice', choices: [] } })).toThrow(
      'answer: 0 choices are given; 2 to 26 are allowed',
    );
    expect(start({}, {}, createReact())).toThrow('react needs tools, and there is none');
    expect(model.requests).toEqual([]);
  });

  it('leaves out what a model thinks in <think> before it answers', async () => {
    const { outcome, of } = await run(
      createDirect(),
      { question: 'q', answer: number },
      { model: scriptedModel(['<think>It may be 5.</think>\n7']) },
    );
    expect(outcome).toMatchObject({ text: '7', key: '7' });
    expect(of('completion')[0]!.text).toContain('It may be 5.');
  });

  it('stops at stop strings also where the server does not know them', async () => {
    const model = scriptedModel(
      [{ text: 'Thought 1: x\nAction 1: Finish[7]\nObservation 1: I make it up', endless: true }],
      { honoursStops: false },
    );
    const { outcome, of } = await run(createReact(), 'q', { model, tools: () => [wait] });
    expect(outcome.text).toBe('7');
    expect(of('completion')[0]!.text).toBe('Thought 1: x\nAction 1: Finish[7]');
    await expect.poll(() => model.open).toBe(0);
  });
});

describe('a run ends with what it has', () => {
  it('when a model does not stop: the text is cut', async () => {
    const model = scriptedModel([{ text: 'and on ', endless: true }]);
    const { outcome, reason, of } = await run(createDirect(), 'q', { model }, { sampling: { maxTokens: 10 } });
    expect(reason).toBe('finished');
    expect(of('completion')[0]!.finish).toBe('length');
    expect(outcome.text.length).toBeLessThan(10 * 16 + 20);
    await expect.poll(() => model.open).toBe(0);
  });

  it('when its time is over, also with a model that does not listen', async () => {
    const model = scriptedModel([{ text: 'slowly, slowly', delayMs: 20, endless: true, deaf: true }]);
    const { outcome, reason, of, steps } = await run(
      createDirect(),
      'q',
      { model },
      { limits: { timeMs: 100 }, sampling: { maxTokens: 100_000 } },
    );
    expect(reason).toBe('time');
    expect(outcome).toEqual({ status: 'none', text: expect.stringMatching(/^slowly/) as string });
    expect(of('completion')[0]).toMatchObject({ finish: 'cut', text: outcome.text });
    expect(of('answer')[0]).toMatchObject({ partial: true });
    expect(steps.at(-1)!.kind).toBe('end');
    await expect.poll(() => model.open).toBe(0);
  });

  it('when a tool hangs', async () => {
    const { reason, of } = await run(
      createReact(),
      'q',
      { model: scriptedModel(['Thought 1: so\nAction 1: Wait[long]']), tools: () => [wait] },
      { limits: { timeMs: 100 } },
    );
    expect(reason).toBe('time');
    expect(of('action')[0]).toMatchObject({ tool: 'wait', input: { what: 'long' } });
    expect(of('end')).toHaveLength(1);
  });

  it('when it is cancelled', async () => {
    const controller = new AbortController();
    const model = scriptedModel([{ text: 'more ', delayMs: 5, endless: true }]);
    const steps = runStrategy(createDirect(), { question: 'q' }, { model }, { signal: controller.signal });
    for await (const step of steps) {
      if (step.kind === 'text') controller.abort();
      if (step.kind === 'end') expect(step).toMatchObject({ reason: 'cancelled' });
    }
    await expect.poll(() => model.open).toBe(0);
    const late = await run(createDirect(), 'q', { model }, { signal: controller.signal });
    expect(late).toMatchObject({ reason: 'cancelled', outcome: { status: 'none' } });
    expect(model.requests).toHaveLength(1);
  });

  it('when it has used up its steps', async () => {
    const model = scriptedModel([' 1', '2', ' 1', '3']);
    const { reason, outcome, usage } = await run(
      createSelfConsistency({ of: createDirect(), samples: 9, concurrency: 1 }),
      { question: 'q', answer: number },
      { model },
      { limits: { steps: 4 } },
    );
    // The votes until then.
    expect({ reason, outcome }).toEqual({
      reason: 'steps',
      outcome: { status: 'answered', text: '1', key: '1', confidence: 0.5 },
    });
    expect(usage.calls).toBe(4);
  });

  it('when it has used up its tokens', async () => {
    const model = scriptedModel([
      { text: 'It is 5, and 6, which makes 11.', usage: { promptTokens: 40, completionTokens: 50 } },
      'no more',
    ]);
    const { reason, outcome, usage } = await run(
      createStepByStep(),
      { question: 'q', answer: number },
      { model },
      { limits: { tokens: 100 } },
    );
    expect(model.requests[0]!.maxTokens).toBeLessThan(100);
    expect(reason).toBe('tokens');
    expect(usage).toMatchObject({ calls: 1, promptTokens: 40, completionTokens: 50 });
    expect(outcome).toMatchObject({ key: '11' });
  });

  it('when the prompt does not fit the model', async () => {
    const model = scriptedModel(['x'], { contextTokens: 50 });
    const { reason, outcome } = await run(createDirect(), 'word '.repeat(200), { model });
    expect({ reason, outcome }).toEqual({ reason: 'context', outcome: { status: 'none', text: '' } });
    expect(model.requests).toEqual([]);
  });

  it('when the model fails: the error says why', async () => {
    const failing = scriptedModel([new CrucibleError('unavailable', 'http://x/v1: it cannot be reached')]);
    const { reason, error, of } = await run(createDirect(), 'q', { model: failing });
    expect(reason).toBe('error');
    expect(error).toBeInstanceOf(CrucibleError);
    expect(of('end')[0]!.error).toEqual({ code: 'unavailable', message: 'http://x/v1: it cannot be reached' });
  });
});

it('stops all work when its steps are left', async () => {
  const model = scriptedModel([{ text: 'more ', delayMs: 2, endless: true }]);
  for await (const step of runStrategy(
    createSelfConsistency({ of: createDirect(), samples: 4 }),
    { question: 'q' },
    { model },
  )) {
    if (step.kind === 'text') break;
  }
  expect(model.requests.length).toBeGreaterThan(1);
  expect(model.requests.every(({ signal }) => signal.aborted)).toBe(true);
  await expect.poll(() => model.open).toBe(0);
});

it('closes what a model holds open when its steps are left, though it does not listen', async () => {
  const model = scriptedModel([{ text: 'more ', delayMs: 2, endless: true, deaf: true }]);
  for await (const step of runStrategy(createDirect(), { question: 'q' }, { model })) if (step.kind === 'text') break;
  await expect.poll(() => model.open).toBe(0);
});

it('has no time limit left running when it is over', async () => {
  const model = scriptedModel(['x']);
  await collectRun(runStrategy(createDirect(), { question: 'q' }, { model }, { limits: { timeMs: 30 } }));
  await delay(60);
  expect((model.requests[0]!.signal.reason as Error).message).toBe('the run is over');
});

import { expect, it } from 'vitest';
import { number, run } from '../testing/run.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { createStepByStep } from './step-by-step.ts';

it('asks to reason, then for the answer', async () => {
  const model = scriptedModel(['Three and four are seven eggs, of which 2 break.', '5']);
  const { outcome, of } = await run(createStepByStep(), { question: 'How many?', answer: number }, { model });
  expect(of('prompt').map(({ purpose }) => purpose)).toEqual(['reasoning', 'extraction']);
  expect(model.requests[0]!.messages).toEqual([{ role: 'user', content: "How many? Let's think step by step." }]);
  expect(model.requests[1]!.messages.slice(1)).toEqual([
    { role: 'assistant', content: 'Three and four are seven eggs, of which 2 break.' },
    { role: 'user', content: 'Therefore, the answer (arabic numerals) is' },
  ]);
  expect(outcome).toEqual({ status: 'answered', text: '5', key: '5' });
});

it('asks once where the reasoning states the answer, unless told otherwise', async () => {
  const stated = ['8*9+0=72\n8*9+7=79\nThe answer is 792.', '793'];
  const once = scriptedModel(stated);
  expect((await run(createStepByStep(), { question: 'q', answer: number }, { model: once })).outcome.key).toBe('792');
  expect(once.requests).toHaveLength(1);
  const always = scriptedModel(stated);
  expect(
    (await run(createStepByStep({ extract: 'always' }), { question: 'q', answer: number }, { model: always })).outcome
      .key,
  ).toBe('793');
});

it('keeps to the reasoning where the extraction holds no answer', async () => {
  const { outcome } = await run(
    createStepByStep(),
    { question: 'q', answer: number },
    { model: scriptedModel(['so 3 + 4 = 7', 'I cannot say']) },
  );
  expect(outcome).toMatchObject({ status: 'answered', key: '7' });
});

it.each([
  [{ kind: 'yes-no' }, 'Therefore, the answer (Yes or No) is'],
  [{ kind: 'choice', choices: ['x', 'y', 'z'] }, 'Therefore, among A through C, the answer is'],
  [{ kind: 'text' }, 'Therefore, the answer is'],
] as const)('has words for %j', async (answer, words) => {
  const model = scriptedModel(['hm', 'A']);
  await run(createStepByStep(), { question: 'q', answer }, { model });
  expect(model.requests[1]!.messages.at(-1)!.content).toBe(words);
});

import { describe, expect, it } from 'vitest';
import { createStrategy } from '../catalog.ts';
import { createLexicalRetriever } from '../lexical-retriever.ts';
import { createPageTools } from '../page-tools.ts';
import { number, run } from '../testing/run.ts';
import { scriptedModel } from '../testing/scripted-model.ts';

const tools = () => createPageTools(createLexicalRetriever([{ id: 'a', title: 'A', text: 'A is 5. A is big.' }]));
const task = { question: 'What is A?', answer: number };

/** Acts where it is told of actions; otherwise it reasons. */
function model(turns: readonly string[], samples: readonly string[]) {
  const said = { turns: 0, samples: 0 };
  return scriptedModel(({ messages }) => {
    const isActing = messages[0]!.role === 'system';
    const list = isActing ? turns : samples;
    return list[Math.min(list.length - 1, said[isActing ? 'turns' : 'samples']++)]!;
  });
}

describe('react, then self-consistency', () => {
  const strategy = createStrategy('react-then-self-consistency', { samples: 3, react: { maxSteps: 2 } });

  it('is react where that answers', async () => {
    const { outcome, of } = await run(strategy, task, {
      model: model(['Action 1: Search[A]', 'Action 2: Finish[5]'], ['The answer is 9.']),
      tools,
    });
    expect(outcome.key).toBe('5');
    expect(of('fall-back')).toEqual([]);
    expect(
      of('thought')
        .concat(of('prompt') as never[])
        .every((step) => step.strategy === 'react'),
    ).toBe(true);
  });

  it('draws chains of thought where it does not, and forces no answer', async () => {
    const { outcome, of } = await run(strategy, task, {
      model: model(
        ['Action 1: Search[A]', 'Action 2: Lookup[big]'],
        ['The answer is 9.', 'The answer is 8.', 'The answer is 9.'],
      ),
      tools,
    });
    expect(of('fall-back')).toMatchObject([
      { to: 'self-consistency', reason: 'no answer within its steps', strategy: 'react-then-self-consistency' },
    ]);
    expect(outcome).toMatchObject({ key: '9', confidence: 2 / 3 });
    expect(of('prompt').filter(({ purpose }) => purpose === 'forced answer')).toEqual([]);
    expect(of('vote')[0]!.strategy).toBe('self-consistency');
    expect(of('completion').at(-1)).toMatchObject({ strategy: 'step-by-step', sample: [expect.any(Number) as number] });
  });
});

describe('self-consistency, then react', () => {
  const strategy = createStrategy('self-consistency-then-react', { samples: 4 });
  const act = ['Action 1: Search[A]', 'Action 2: Finish[5]'];

  it('is self-consistency where half of the samples agree', async () => {
    const { outcome, of } = await run(strategy, task, {
      model: model(act, ['The answer is 1.', 'The answer is 1.', 'The answer is 2.', 'The answer is 3.']),
      tools,
    });
    expect(outcome).toMatchObject({ key: '1', confidence: 0.5 });
    expect(of('fall-back')).toEqual([]);
  });

  it('acts where they do not', async () => {
    const { outcome, of } = await run(strategy, task, {
      model: model(act, ['The answer is 1.', 'The answer is 4.', 'The answer is 2.', 'The answer is 3.']),
      tools,
    });
    expect(of('fall-back')).toMatchObject([{ to: 'react', reason: 'less than half of the samples agree' }]);
    expect(outcome).toEqual({ status: 'answered', text: '5', key: '5' });
  });

  it('keeps the weak answer where acting brings none', async () => {
    const { outcome } = await run(strategy, task, {
      model: model(
        ['Action 1: Finish[who knows]'],
        ['The answer is 1.', 'The answer is 4.', 'The answer is 2.', 'The answer is 1.'].map((text, i) =>
          i === 3 ? 'no idea' : text,
        ),
      ),
      tools,
    });
    expect(outcome).toMatchObject({ key: '1', confidence: 0.25 });
  });
});

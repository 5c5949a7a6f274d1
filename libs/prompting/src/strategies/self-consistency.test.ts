import { CrucibleError } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { number, run } from '../testing/run.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { createDirect } from './direct.ts';
import { createSelfConsistency, electionOf } from './self-consistency.ts';
import { createStepByStep } from './step-by-step.ts';

const task = { question: 'q', answer: number };

describe('self-consistency', () => {
  it('takes what most samples come to, however it is written', async () => {
    const model = scriptedModel(['The answer is 7.', 'The answer is $1,234.00.', 'it is 1234', 'no idea', '1234.0']);
    const { outcome, of } = await run(createSelfConsistency({ of: createDirect(), concurrency: 1 }), task, { model });
    expect(outcome).toMatchObject({ status: 'answered', key: '1234', confidence: 3 / 5 });
    expect(of('vote')).toMatchObject([
      {
        votes: [
          { key: '1234', count: 3 },
          { key: '7', count: 1 },
        ],
        invalid: 1,
        tied: false,
      },
    ]);
    expect(model.requests.map(({ temperature }) => temperature)).toEqual([0.7, 0.7, 0.7, 0.7, 0.7]);
    // Every sample draws numbers of its own, the same in every run.
    expect(new Set(model.requests.map(({ seed }) => seed)).size).toBe(5);
    const again = scriptedModel(['1']);
    await run(createSelfConsistency({ of: createDirect(), concurrency: 1 }), task, { model: again });
    expect(again.requests.map(({ seed }) => seed)).toEqual(model.requests.map(({ seed }) => seed));
  });

  it('goes over strategies of several calls, and its trace says which sample a step belongs to', async () => {
    const model = scriptedModel(({ messages }) => (messages.length === 1 ? 'thinking' : '5'));
    const { of, outcome } = await run(createSelfConsistency({ of: createStepByStep(), samples: 3 }), task, { model });
    expect(outcome.confidence).toBe(1);
    const prompts = of('prompt').map(({ strategy, sample, purpose }) => `${strategy} ${sample!.join()} ${purpose}`);
    expect(prompts.sort()).toEqual(
      [0, 1, 2].flatMap((i) => [`step-by-step ${i} extraction`, `step-by-step ${i} reasoning`]),
    );
  });

  it('draws several samples in one call where the model can', async () => {
    const model = scriptedModel((_request, sample) => ['3', '4', '4'][sample]!, { mostSamples: 3 });
    const { outcome, of } = await run(createSelfConsistency({ of: createDirect(), samples: 7 }), task, { model });
    expect(model.requests.map(({ samples }) => samples)).toEqual([3, 3, undefined]);
    expect(of('vote')[0]).toMatchObject({
      votes: [
        { key: '4', count: 4 },
        { key: '3', count: 3 },
      ],
    });
    expect(outcome.key).toBe('4');
    expect(
      of('completion')
        .filter(({ call }) => call === 1)
        .map(({ answer, text }) => [answer, text]),
    ).toEqual([
      [0, '3'],
      [1, '4'],
      [2, '4'],
    ]);
  });

  it('ends when one sample fails, with the votes that are there', async () => {
    const model = scriptedModel(['5', new CrucibleError('unavailable', 'gone')]);
    const { reason, outcome } = await run(createSelfConsistency({ of: createDirect(), concurrency: 1 }), task, {
      model,
    });
    expect({ reason, key: outcome.key }).toEqual({ reason: 'error', key: '5' });
  });

  it('says what is wrong with its options', () => {
    const of = createDirect();
    expect(() => createSelfConsistency({ of, samples: 0 })).toThrow(
      'samples: 0 is given; a whole number from 1 to 100 is allowed',
    );
    expect(() => createSelfConsistency({ of, temperature: 0 })).toThrow(
      'temperature: 0 is given; a number above 0, up to 2 is allowed',
    );
  });
});

describe('a vote', () => {
  const answered = (key: string, text = key) => ({ status: 'answered', key, text }) as const;
  const none = { status: 'none', text: 'invalid' } as const;

  it('that is tied goes to the answer that was drawn first', () => {
    expect(electionOf([answered('b', 'first b'), answered('a'), answered('a'), answered('b')])).toMatchObject({
      winner: { text: 'first b', confidence: 0.5 },
      tied: true,
    });
  });

  it('is not cast by what cannot be read, even if that is the most frequent', () => {
    expect(electionOf([none, none, none, answered('7')])).toMatchObject({
      winner: { key: '7', confidence: 0.25 },
      invalid: 3,
      tied: false,
    });
    expect(electionOf([none, none])).toEqual({
      winner: { status: 'none', text: '' },
      votes: [],
      invalid: 2,
      tied: false,
    });
  });
});

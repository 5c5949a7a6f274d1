import { describe, expect, it } from 'vitest';
import { parseExamples } from './examples.ts';
import type { Embedder } from './retriever.ts';
import { createChainOfThought, createFewShot } from './strategies/few-shot.ts';
import { number, run } from './testing/run.ts';
import { scriptedModel } from './testing/scripted-model.ts';

const examples = [
  { question: 'How many legs has a dog?', answer: '4', reasoning: 'Dogs walk on four legs.' },
  { question: 'What colour is the sea?', answer: 'blue', reasoning: 'It mirrors the sky.' },
  { question: 'How many wheels has a car?', answer: '4', reasoning: 'Two in front, two behind.' },
  { question: 'Who wrote Faust?', answer: 'Goethe', reasoning: 'He did.' },
];
const question = 'How many wheels has a bicycle?';

describe('few-shot', () => {
  it('puts the first examples before the question, as turns', async () => {
    const model = scriptedModel(['2']);
    const { outcome, of } = await run(
      createFewShot({ examples, count: 2 }),
      { question, answer: number, system: 'Be brief.' },
      { model },
    );
    expect(model.requests[0]!.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'How many legs has a dog?' },
      { role: 'assistant', content: '4' },
      { role: 'user', content: 'What colour is the sea?' },
      { role: 'assistant', content: 'blue' },
      { role: 'user', content: question },
    ]);
    expect(of('examples')).toMatchObject([
      { chosen: ['How many legs has a dog?', 'What colour is the sea?'], leftOut: 0 },
    ]);
    expect(outcome).toMatchObject({ key: '2' });
  });

  it('takes those like the question, the most similar last; with others where too few are', async () => {
    const model = scriptedModel(['2']);
    const { of } = await run(createFewShot({ examples, count: 3, select: 'similar' }), question, { model });
    expect(of('examples')[0]!.chosen).toEqual(
      ['What colour is the sea?', 'How many legs has a dog?', 'How many wheels has a car?'].map(
        (each) => expect.stringContaining(each) as string,
      ),
    );
  });

  it('takes those that an embedder finds similar', async () => {
    // Its notion: texts that end alike are alike.
    const embedder: Embedder = {
      embed: (texts) =>
        Promise.resolve(
          texts.map((text) => [text.includes('Faust') || text === question ? 1 : 0.1, text.length / 1000]),
        ),
    };
    const { of } = await run(createFewShot({ examples, count: 1, select: 'similar' }), question, {
      model: scriptedModel(['2']),
      embedder,
    });
    expect(of('examples')[0]!.chosen).toEqual(['Who wrote Faust?']);
  });

  it('leaves out as many as do not fit, the least similar first', async () => {
    const tokens = (messages: readonly { content: string }[]) =>
      messages.reduce((sum, { content }) => sum + content.split(' ').length, 0);
    const model = scriptedModel(['2'], { contextTokens: 30, countTokens: tokens });
    const options = { sampling: { maxTokens: 8 } };
    const similar = await run(createFewShot({ examples, select: 'similar' }), question, { model }, options);
    expect(similar.of('examples')[0]).toMatchObject({
      leftOut: 2,
      chosen: ['How many legs has a dog?', 'How many wheels has a car?'],
    });
    const fixed = await run(createFewShot({ examples }), question, { model }, options);
    expect(fixed.of('examples')[0]).toMatchObject({
      leftOut: 2,
      chosen: ['How many legs has a dog?', 'What colour is the sea?'],
    });
    expect(tokens(model.requests[1]!.messages)).toBeLessThanOrEqual(22);
    const none = await run(
      createFewShot({ examples }),
      question,
      { model: scriptedModel(['2'], { contextTokens: 14, countTokens: tokens }) },
      options,
    );
    expect(none.of('examples')[0]).toMatchObject({ leftOut: 4, chosen: [] });
  });

  it('lays them out as one text for a forged model, and stops before a question of its own', async () => {
    const model = scriptedModel(['yes\n\nText: More'], { wording: 'forged' });
    const { outcome } = await run(
      createFewShot({ examples: [{ question: 'Nice $& day.', answer: 'yes' }] }),
      'Bad day.',
      { model },
    );
    expect(model.requests[0]!.messages).toEqual([
      { role: 'user', content: 'Text: Nice $& day. Answer: yes\n\nText: Bad day. Answer:' },
    ]);
    expect(outcome.text).toBe('yes');
  });

  it('takes another layout', async () => {
    const model = scriptedModel([' no'], { honoursStops: false });
    const layout = { example: 'Input: {question}\nOutput: {answer}' };
    await run(createFewShot({ examples: examples.slice(1, 2), layout }), 'x', { model });
    expect(model.requests[0]!.messages[0]!.content).toBe(
      'Input: What colour is the sea?\nOutput: blue\n\nInput: x\nOutput:',
    );
    expect(model.requests[0]!.stops).toEqual(['\n\n', '\nInput:']);
    expect(() => createFewShot({ examples, layout: { example: 'Q: {question}' } })).toThrow(
      'layout: {question} and then {answer} must occur in it',
    );
  });

  it('says what is wrong with examples', () => {
    expect(() => createFewShot({ examples: [] })).toThrow('examples: there are none');
    expect(() => createFewShot({ examples: [{ question: 'q', answer: ' ' }] })).toThrow(
      'examples[0]: question and answer must not be empty',
    );
    expect(() => createFewShot({ examples, count: 0 })).toThrow(
      'examples.count: 0 is given; a whole number of at least 1 is allowed',
    );
    expect(() => createChainOfThought({ examples: [{ question: 'q', answer: 'a' }] })).toThrow(
      'examples[0]: has no reasoning, and this strategy shows it',
    );
  });
});

it('cot shows how one gets there, and reads the answer out of the reasoning', async () => {
  const model = scriptedModel(['A bicycle has a wheel in front and one behind, 1 + 1 = 2.\nThe answer is 2.']);
  const { outcome } = await run(createChainOfThought({ examples, count: 1 }), { question, answer: number }, { model });
  expect(model.requests[0]!.messages[1]).toEqual({
    role: 'assistant',
    content: 'Dogs walk on four legs.\nThe answer is 4.',
  });
  expect(outcome).toEqual({ status: 'answered', text: '2', key: '2' });
});

describe('files of examples', () => {
  it('are JSON Lines, also those of GSM8K', () => {
    const gsm8k = { question: 'How many?', answer: 'She has 16 - 3 = <<16-3=13>>13 eggs.\n#### 13' };
    expect(
      parseExamples(`${JSON.stringify(gsm8k)}\n\n{"question": "q", "answer": "a", "reasoning": "r"}\n`, 'x.jsonl'),
    ).toEqual([
      {
        question: 'How many?',
        answer: '13',
        reasoning: 'She has 16 - 3 = 13 eggs.',
        program: 'def solution():\n    step1 = 16-3\n    return step1',
      },
      { question: 'q', answer: 'a', reasoning: 'r' },
    ]);
  });

  it.each([
    ['', 'x.jsonl: holds no examples'],
    ['{"question": "q"}', 'x.jsonl:1: answer is missing'],
    [
      '{"question": "q", "answer": "a"}\n{"question": "", "answer": "a"}',
      'x.jsonl:2: question must be a text that is not empty',
    ],
    ['{"question": "q", "answer": 5}', 'x.jsonl:1: answer must be a text that is not empty'],
    ['{"question": "q", "answer": "so\\n####"}', 'x.jsonl:1: answer: nothing stands behind ####'],
    ['null', 'x.jsonl:1: question is missing'],
  ])('%j is refused', (text, message) => {
    expect(() => parseExamples(text, 'x.jsonl')).toThrow(message);
  });

  it('name the line that is no JSON', () => {
    expect(() => parseExamples('{"question"', 'x.jsonl')).toThrow(/^x\.jsonl:1: is no JSON: /);
  });
});

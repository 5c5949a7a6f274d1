import { expect, test } from 'vitest';
import { bodyFrom, defaultLane, defaultOptions, type Lane, lanesFrom, queryFrom } from './lane.ts';

const history = [{ question: 'Hi', answer: 'Hello' }];

test('plain chat sends the conversation, and nothing that is not set', () => {
  expect(bodyFrom(defaultLane, history, 'Who?')).toEqual({
    model: 'crucible',
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'Who?' },
    ],
  });
});

test('a strategy gets the question and what concerns it', () => {
  const lane: Lane = {
    model: 'mine',
    way: 'pal',
    collection: 'docs',
    documents: ['a.md'],
    options: {
      ...defaultOptions,
      system: ' Be brief. ',
      temperature: '0.5',
      maxTokens: '64',
      answerKind: 'number',
      samples: '3',
      tools: 'search, python',
      pictures: true,
      mostActions: '4',
      mostSeconds: '1.5',
      mostSteps: '9',
      examples:
        '{"question": "1+1?", "answer": 2}\n\n{"question": "2+2?", "answer": "4", "program": "print(4)", "x": 1}',
    },
  };
  expect(bodyFrom(lane, history, 'Who?')).toEqual({
    model: 'mine',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Who?' },
    ],
    temperature: 0.5,
    max_tokens: 64,
    crucible: {
      strategy: 'pal',
      answer: { kind: 'number' },
      samples: 3,
      limits: { steps: 9, time_ms: 1500 },
      examples: [
        { question: '1+1?', answer: '2' },
        { question: '2+2?', answer: '4', program: 'print(4)' },
      ],
    },
  });
  expect(bodyFrom({ ...lane, way: 'react' }, [], 'Who?').crucible).toEqual({
    strategy: 'react',
    collection: 'docs',
    documents: ['a.md'],
    answer: { kind: 'number' },
    tools: ['search', 'python'],
    pictures: true,
    actions: 4,
    limits: { steps: 9, time_ms: 1500 },
  });
});

test('a wrong option is named, with what is allowed', () => {
  const send = (options: Partial<typeof defaultOptions>) => () =>
    bodyFrom({ ...defaultLane, way: 'pal', options: { ...defaultOptions, ...options } }, [], 'x');
  expect(send({ temperature: '3' })).toThrow('Temperature: a number from 0 to 2 is allowed.');
  expect(send({ samples: '1.5' })).toThrow('Samples: a whole number from 1 to 64 is allowed.');
  expect(send({ examples: '{"question": "a", "answer": "b"}\nnope' })).toThrow('Examples, line 2: this is no JSON.');
  expect(send({ examples: 'null' })).toThrow('Examples, line 1: a question and an answer are needed.');
  expect(send({ answerKind: 'choice', choices: 'a\n \n' })).toThrow('Choices: at least two are needed');
});

test('a link carries the choices of both lanes', () => {
  const lanes: Lane[] = [
    { ...defaultLane, way: 'rag', collection: 'a b' },
    { ...defaultLane, model: 'crucible-sft', documents: ['x#1'] },
  ];
  const query = Object.fromEntries(Object.entries(queryFrom(lanes)).filter(([, value]) => value)) as Record<
    string,
    string
  >;
  expect(query).toEqual({ ask: 'rag', collection: 'a b', model2: 'crucible-sft', document2: 'x#1' });
  expect(lanesFrom(query, [])).toEqual(lanes);
  expect(lanesFrom({}, lanes)).toEqual([defaultLane]);
});

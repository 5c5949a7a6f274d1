import { describe, expect, test } from 'vitest';
import { parseChatRequest } from './chat-request.ts';
import { runSpecOf, splitModel } from './run-request.ts';

function specOf(body: object) {
  const request = parseChatRequest({ model: 'chat', messages: [{ role: 'user', content: 'How many?' }], ...body });
  return runSpecOf(request, request.run!, 'one');
}

describe('a model with a strategy', () => {
  test.each([
    ['crucible/react', 'crucible', 'react'],
    ['org/name/rag', 'org/name', 'rag'],
    ['chat:adapter/self-consistency', 'chat:adapter', 'self-consistency'],
    ['org/name', 'org/name', undefined],
    ['/react', '/react', undefined],
    ['react', 'react', undefined],
    ['chat/React', 'chat/React', undefined],
    ['chat/', 'chat/', undefined],
  ])('%s is %s by %s', (name, model, strategy) => {
    expect(splitModel(name)).toEqual({ model, strategy });
  });
});

describe('what the actor is asked for', () => {
  test('is no more than what was said', () => {
    expect(specOf({ model: 'chat/direct' })).toEqual({
      runId: 'one',
      strategy: 'direct',
      model: 'chat',
      question: 'How many?',
      history: [],
      sampling: {},
    });
  });

  test('has all that was said', () => {
    const spec = specOf({
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'system', content: [{ type: 'text', text: 'Be right.' }] },
        { role: 'user', content: 'Hello?' },
        { role: 'assistant', content: 'Yes?' },
        { role: 'system', content: 'Later.' },
        { role: 'user', content: 'How many?' },
      ],
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      max_completion_tokens: 40,
      crucible: {
        strategy: 'react',
        collection: 'home',
        documents: ['a.md'],
        tools: ['search', 'python'],
        answer: { kind: 'choice', choices: ['red', 'green'] },
        examples: [{ question: 'q', answer: 'a', reasoning: 'r', program: 'p' }],
        samples: 3,
        actions: 4,
        limits: { time_ms: 1000, steps: 5, tokens: 600 },
        trace: false,
        run_id: 'mine',
      },
    });
    expect(spec).toEqual({
      runId: 'one',
      strategy: 'react',
      model: 'chat',
      question: 'How many?',
      system: 'Be brief.\n\nBe right.',
      history: [
        { role: 'user', content: 'Hello?' },
        { role: 'assistant', content: 'Yes?' },
        { role: 'system', content: 'Later.' },
      ],
      answer: { kind: 'choice', choices: ['red', 'green'] },
      examples: [{ question: 'q', answer: 'a', reasoning: 'r', program: 'p' }],
      knowledge: { collection: 'home', documents: ['a.md'] },
      tools: ['search', 'python'],
      sampling: { temperature: 0.5, topP: 0.9, seed: 7, maxTokens: 40 },
      samples: 3,
      react: { maxSteps: 4 },
      limits: { timeMs: 1000, steps: 5, tokens: 600 },
    });
  });

  test('searches the default collection where only documents are named', () => {
    expect(specOf({ crucible: { strategy: 'rag', documents: ['a'] } }).knowledge).toEqual({
      collection: '',
      documents: ['a'],
    });
  });
});

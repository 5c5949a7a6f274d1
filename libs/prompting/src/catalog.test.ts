import { expect, it } from 'vitest';
import { createStrategy, strategyNames } from './catalog.ts';

const examples = [{ question: 'q', answer: 'a', reasoning: 'r', program: 'answer = 1' }];

it.each(strategyNames)('%s is there under its name', (name) => {
  expect(createStrategy(name, { examples }).name).toBe(name);
});

it('pal votes where several programs are asked for', () => {
  expect(createStrategy('pal', { samples: 3 })).toMatchObject({ name: 'self-consistency', needs: ['code'] });
});

it('names those that there are', () => {
  expect(() => createStrategy('tree-of-thoughts')).toThrow(
    'strategy: "tree-of-thoughts" is none; there are direct, few-shot, cot, step-by-step, self-consistency, rag, pal, react, react-then-self-consistency, self-consistency-then-react',
  );
  expect(() => createStrategy('cot')).toThrow('examples: there are none');
});

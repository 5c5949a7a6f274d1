import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';

const question = '[1] Belan Galder founded Tamova. [2] The mayor of Tamova is Oro Mek. Who is the mayor of Tamova?';
const others = [{ value: 'Belan Galder', passage: 1 }];
const answer = { value: 'Oro Mek', passage: 2 };
const cited = { expected: { kind: 'passage', answer, others, cited: true }, question } as const;
const uncited = { expected: { kind: 'passage', answer, others, cited: false }, question } as const;
const unanswerable = { expected: { kind: 'passage', answer: null, others, cited: true }, question } as const;

describe('an answer from passages', () => {
  it('is right with the number of its passage', () => {
    for (const text of ['Oro Mek [2]', 'oro mek [2].', 'The answer is Oro Mek [2].', '[2] Oro Mek']) {
      expect(judge(cited, text), text).toBe('right 1');
    }
  });

  it('needs the right number where passages are numbered', () => {
    expect(judge(cited, 'Oro Mek')).toBe('uncited 0.6');
    expect(judge(cited, 'Oro Mek [1]')).toBe('wrong 0.1');
    expect(judge(cited, 'Oro Mek [1][2]')).toBe('wrong 0.1');
    expect(judge(uncited, 'Oro Mek')).toBe('right 1');
    expect(judge(uncited, 'Oro Mek [2]')).toBe('rambling 0.6');
  });

  it('is rambling in more words than needed', () => {
    expect(judge(cited, 'The mayor of Tamova is Oro Mek [2].')).toBe('rambling 0.6');
    expect(judge(cited, 'Oro Mek [2]\nI hope this helps.')).toBe('rambling 0.6');
  });

  it('is wrong when it is another value, every value, or a value in nonsense', () => {
    expect(judge(cited, 'Belan Galder [1]')).toBe('wrong 0.1');
    expect(judge(cited, 'Oro Galder [2]')).toBe('wrong 0.1');
    expect(judge(cited, 'Belan Galder, Oro Mek [2]')).toBe('wrong 0');
    expect(judge(cited, 'Oro Mek [2]. Belan Galder [1].')).toBe('wrong 0');
    expect(judge(cited, 'fish Oro Mek salt [2]')).toBe('wrong 0.1');
    expect(judge(cited, 'The mayor is not Oro Mek [2].')).toBe('wrong 0.1');
  });

  it('may not say that there is none where there is one', () => {
    expect(judge(cited, 'The passages do not say.')).toBe('refusing 0.2');
    expect(judge(cited, 'I do not know.')).toBe('refusing 0.2');
  });
});

describe('a question that the passages do not answer', () => {
  it('is answered by saying so', () => {
    expect(judge(unanswerable, 'The passages do not say.')).toBe('right 1');
    expect(judge(unanswerable, 'the text does not say that')).toBe('right 1');
    expect(judge(unanswerable, 'The passages do not say. I hope this helps.')).toBe('rambling 0.6');
    expect(judge(unanswerable, 'I do not know.')).toBe('refusing 0.2');
    expect(judge(unanswerable, 'Belan Galder [1]')).toBe('wrong 0.1');
    expect(judge(unanswerable, 'The passages do not say. Belan Galder [1].')).toBe('wrong 0');
  });
});

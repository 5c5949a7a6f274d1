import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import type { Example } from './example.ts';
import { taskNames } from './example.ts';
import { splits } from './split.ts';
import { createWorld, taskWeights } from './world.ts';

const world = createWorld();

function draw(count: number, options: Partial<Parameters<typeof world.example>[0]> = {}): Example[] {
  const random = Random.seeded(31);
  return Array.from({ length: count }, () => world.example({ split: 'train', random, ...options }));
}

describe('createWorld', () => {
  it('is the same for the same seed and another for another', () => {
    const make = (seed: number): unknown => {
      const made = createWorld({ seed });
      const random = Random.seeded(32);
      return [
        made.country,
        made.encyclopedia('heldout').pages,
        Array.from({ length: 50 }, () => made.example({ split: 'train', random })),
        Array.from({ length: 10 }, () => made.document(random)),
      ];
    };
    expect(make(7)).toEqual(make(7));
    expect(createWorld({ seed: 8 }).encyclopedia('train').pages).not.toEqual(
      createWorld({ seed: 7 }).encyclopedia('train').pages,
    );
  });

  it('refuses seeds that are none', () => {
    for (const seed of [-1, 1.5, NaN, 2 ** 53]) {
      expect(() => createWorld({ seed })).toThrow(`seed: ${seed} is not a whole number from 0 to 2^53 - 1`);
    }
  });
});

describe('example', () => {
  it('draws tasks by their weights', () => {
    const counts = Object.groupBy(draw(8000), ({ task }) => task);
    for (const task of taskNames)
      expect(Math.abs(counts[task]!.length / 8000 - taskWeights[task]), task).toBeLessThan(0.015);
    expect(Object.values(taskWeights).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1);
  });

  it('draws the task and the format that are asked for', () => {
    expect(new Set(draw(100, { task: 'lookup' }).map(({ format }) => format))).toEqual(new Set(['passages', 'plain']));
    expect(new Set(draw(200, { format: 'react' }).map(({ task }) => task))).toEqual(
      new Set(['calculation', 'multihop']),
    );
    expect(draw(1, { task: 'topic', format: 'few-shot', split: 'unseen' })[0]).toMatchObject({
      task: 'topic',
      format: 'few-shot',
      split: 'unseen',
    });
  });

  it('says what is allowed where it is asked for what there is not', () => {
    expect(() => draw(1, { task: 'topic', format: 'react' })).toThrow(
      'format: topic has no format react; it has plain, few-shot',
    );
    expect(() => draw(1, { task: 'chess' as 'topic' })).toThrow(
      'task: "chess" is none of arithmetic, calculation, lookup, multihop, sentiment, topic, question-type, instructions, smalltalk',
    );
    expect(() => draw(1, { split: 'test' as 'train' })).toThrow('split: "test" is none of train, heldout, unseen');
    expect(() => draw(1, { format: 'poem' as 'plain' })).toThrow(
      'format: "poem" is none of plain, steps, program, passages, react, few-shot',
    );
  });

  it('survives JSON', () => {
    for (const example of draw(300)) {
      const copy = JSON.parse(JSON.stringify(example)) as Example;
      expect(copy).toEqual(example);
      expect(world.verify(copy, copy.response, { finished: true })).toEqual({
        correct: true,
        score: 1,
        reason: 'right',
      });
    }
  });

  it('ends with a message of the user or of a tool, and fills all slots', () => {
    for (const { messages, response, answer } of splits.flatMap((split) => draw(1500, { split }))) {
      expect(['user', 'tool']).toContain(messages.at(-1)!.role);
      for (const text of [...messages.map(({ content }) => content), response, answer]) {
        expect(text).not.toBe('');
        expect(text).not.toMatch(/[{}]|undefined/);
        expect(text.trim()).toBe(text);
      }
    }
  });

  it('has at least six phrasings of every task in train, and two that are reserved', () => {
    for (const task of taskNames) {
      const phrasings = (split: 'train' | 'heldout'): number =>
        new Set(draw(1500, { task, split }).map(({ phrasing }) => phrasing)).size;
      expect(phrasings('train'), task).toBeGreaterThanOrEqual(6);
      expect(phrasings('heldout'), task).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('arithmetic', () => {
  const operations: Record<string, (a: number, b: number) => number> = {
    '+': (a, b) => a + b,
    plus: (a, b) => a + b,
    '-': (a, b) => a - b,
    minus: (a, b) => a - b,
    '*': (a, b) => a * b,
    '×': (a, b) => a * b,
    times: (a, b) => a * b,
  };

  it('has the answer of the sum in the question', () => {
    let checked = 0;
    for (const { messages, answer, response } of draw(2000, { task: 'arithmetic' })) {
      const [, a, sign, b] = /(\d+) (\+|-|\*|×|plus|minus|times) (\d+)/.exec(messages[0]!.content) ?? [];
      if (sign === undefined) continue;
      expect(Number(answer)).toBe(operations[sign]!(Number(a), Number(b)));
      expect(response.endsWith(answer) || response.endsWith(`The answer is ${answer}.`)).toBe(true);
      checked++;
    }
    expect(checked).toBeGreaterThan(1200);
  });
});

describe('calculation', () => {
  it('has a program that copies the numbers of the question and no others', () => {
    for (const { messages, response } of draw(1000, { task: 'calculation', format: 'program' })) {
      const numbers = (text: string): string[] => text.match(/\d+(?:\.\d+)?/g) ?? [];
      expect(numbers(response).sort()).toEqual(numbers(messages[1]!.content).sort());
      expect(response).toMatch(/^def solution\(\):\n( {4}[a-z]+ = [\d.]+\n){2,4} {4}result = .+\n {4}return result$/);
    }
  });

  it('agrees with floating point', () => {
    for (const { response, answer } of draw(500, { task: 'calculation', format: 'program' })) {
      const body = response
        .split('\n')
        .slice(1)
        .map((line) => line.trim().replace(/^(\w+) = /, 'const $1 = '));
      // eslint-disable-next-line @typescript-eslint/no-implied-eval -- an evaluator that is not ours
      const evaluate = new Function(body.join('\n')) as () => number;
      const value = evaluate();
      expect(Math.abs(value - Number(answer))).toBeLessThan(1e-6 + 1e-12 * Math.abs(value));
    }
  });
});

describe('trajectory', () => {
  it.each(['calculation', 'multihop'] as const)('of %s is what its single steps are made of', (task) => {
    const { messages, answer } = world.trajectory({ task, split: 'heldout', random: Random.seeded(33) });
    expect(messages.map(({ role }) => role).join(' ')).toMatch(/^system user(?: assistant tool)+ assistant$/);
    expect(messages.at(-1)!.content).toContain(`Finish[${answer}]`);
  });

  it('comes to its answer by searching the encyclopedia', () => {
    const random = Random.seeded(34);
    const searches = new Map<number, number>();
    for (let i = 0; i < 300; i++) {
      const split = splits[i % 3]!;
      const { messages, answer } = world.trajectory({ task: 'multihop', split, random });
      const reader = world.encyclopedia(split).open();
      let observation = '';
      let count = 0;
      for (const { role, content } of messages) {
        const title = /\nAction \d+: Search\[(.*)\]$/.exec(content)?.[1];
        if (title !== undefined) {
          // Each search is for what the last one found.
          if (count > 0) expect(observation).toContain(title);
          observation = reader.search(title);
          count++;
        }
        if (role === 'tool') expect(content).toBe(`Observation ${count}: ${observation}`);
      }
      expect(observation).toContain(answer);
      searches.set(count, (searches.get(count) ?? 0) + 1);
    }
    expect([...searches.keys()].sort()).toEqual([2, 3]);
    expect(searches.get(3)! / 300).toBeGreaterThan(0.25);
  });
});

import { Random } from '@crucible/foundation';
import type { ChatMessage } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import type { Example } from './example.ts';
import { taskNames } from './example.ts';
import { isFactOnSide } from './facts.ts';
import { evaluateProgram } from './program.ts';
import { decimalFrom } from './rational.ts';
import { splits } from './split.ts';
import { threeSearchesShare } from './tasks/multihop.ts';
import { factsIn } from './testing/fact-reading.ts';
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
    expect(new Set(draw(100, { task: 'lookup' }).map(({ format }) => format))).toEqual(
      new Set(['pages', 'passages', 'plain']),
    );
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
      'format: "poem" is none of plain, steps, program, passages, pages, react, few-shot',
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
      const phrasings = (split: 'train' | 'unseen'): number =>
        new Set(draw(1500, { task, split }).map(({ phrasing }) => phrasing)).size;
      expect(phrasings('train'), task).toBeGreaterThanOrEqual(6);
      expect(phrasings('unseen'), task).toBeGreaterThanOrEqual(2);
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

describe('question', () => {
  const questions = (task: (typeof taskNames)[number], split: 'train' | 'heldout', count = 60) => {
    const random = Random.seeded(37);
    return Array.from({ length: count }, () => world.question({ task, split, random }));
  };

  it.each(taskNames)(
    'of %s is answered by its answer, whatever stands around it, and not by that of another',
    (task) => {
      for (const question of questions(task, 'heldout')) {
        expect(JSON.parse(JSON.stringify(question))).toEqual(question);
        const { answer } = question;
        expect(world.answers(question, answer)).toBe(true);
        expect(world.answers(question, `${answer}\nI hope this helps.`)).toBe(true);
        expect(world.answers(question, '')).toBe(false);
        expect(world.answers(question, 'I do not know.')).toBe(false);
      }
      const [first, ...others] = questions(task, 'heldout');
      const isOther = ({ answer, expected }: (typeof others)[number]): boolean =>
        answer !== first!.answer &&
        !(expected.kind === 'reply' && expected.accepted.includes(first!.answer)) &&
        !(expected.kind === 'members' && first!.expected.kind === 'members');
      const strange = others.filter(isOther);
      expect(strange.length).toBeGreaterThan(20);
      expect(strange.filter((question) => world.answers(question, first!.answer))).toEqual([]);
    },
  );

  it('of heldout about facts is about the pages that are searched', () => {
    const { pages } = world.encyclopedia('heldout');
    for (const { question, answer } of questions('lookup', 'heldout')) {
      const page = pages.find(
        ({ title, facts }) => question.includes(title) && facts.some(({ value }) => value === answer),
      );
      expect(page, question).toBeDefined();
    }
  });

  it('has the program or the reasoning that comes to its answer', () => {
    for (const { program, reasoning, answer } of questions('calculation', 'train')) {
      expect(reasoning).toContain(` = ${answer}`);
      const evaluated = evaluateProgram(program!);
      if (!evaluated.ok) throw new Error(evaluated.error);
      expect(decimalFrom(evaluated.value, 6)).toBe(answer);
    }
    for (const { reasoning, answer } of questions('multihop', 'train'))
      expect(reasoning).toMatch(new RegExp(`^I need the .* It is ${answer}\\.$`));
    for (const { reasoning, answer } of questions('lookup', 'train'))
      expect(reasoning?.endsWith(` is ${answer}.`)).toBe(true);
  });

  it('of labels is of one set of labels, and tells the text that the label is of', () => {
    for (const task of ['sentiment', 'topic', 'question-type'] as const) {
      const drawn = questions(task, 'train');
      expect(new Set(drawn.map(({ expected }) => expected.kind === 'label' && expected.labels.join())).size).toBe(1);
      for (const { question, text } of drawn) expect(question).toContain(text);
    }
  });
});

/** What a conversation searches for, and what it is told. */
function searchesIn(messages: readonly ChatMessage[]): { title: string; found: string }[] {
  return messages.flatMap(({ content }, at) => {
    const [, number, title] = /\nAction (\d+): Search\[(.*)\]$/.exec(content) ?? [];
    if (title === undefined) return [];
    const { role, content: observation } = messages[at + 1]!;
    expect(role).toBe('tool');
    const prefix = `Observation ${number}: `;
    expect(observation.startsWith(prefix)).toBe(true);
    return [{ title, found: observation.slice(prefix.length) }];
  });
}

describe('trajectory', () => {
  it.each(['calculation', 'multihop'] as const)('of %s is what its single steps are made of', (task) => {
    const { messages, answer } = world.trajectory({ task, split: 'heldout', random: Random.seeded(33) });
    expect(messages.map(({ role }) => role).join(' ')).toMatch(/^system user(?: assistant tool)+ assistant$/);
    expect(messages.at(-1)!.content).toContain(`Finish[${answer}]`);
  });

  it.each(['heldout', 'unseen'] as const)('of %s finds what the encyclopedia says', (split) => {
    const random = Random.seeded(34);
    for (let i = 0; i < 100; i++) {
      const { messages } = world.trajectory({ task: 'multihop', split, random });
      const reader = world.encyclopedia(split).open();
      for (const { title, found } of searchesIn(messages)) expect(found).toBe(reader.search(title));
    }
  });

  it('of train finds, on pages of its own, facts about what it searches', () => {
    const random = Random.seeded(35);
    const titles = new Set<string>();
    const known = new Set(world.encyclopedia('train').pages.map(({ title }) => title));
    for (let i = 0; i < 300; i++) {
      const { messages } = world.trajectory({ task: 'multihop', split: 'train', random });
      for (const { title, found } of searchesIn(messages)) {
        const facts = factsIn(found);
        expect([2, 3]).toContain(facts.length);
        expect(new Set(facts.map(({ subject }) => subject))).toEqual(new Set([title]));
        expect(facts.filter((fact) => !isFactOnSide('train', fact))).toEqual([]);
        titles.add(title);
      }
    }
    // Who drew from fixed pages would know each of the few hundred titles, and no others.
    expect(titles.size).toBeGreaterThan(400);
    expect(titles.difference(known).size / titles.size).toBeGreaterThan(0.5);
  });

  it.each(splits)('of %s comes to its answer through what each search finds', (split) => {
    const random = Random.seeded(36);
    const counts: number[] = [];
    for (let i = 0; i < 300; i++) {
      const { messages, answer } = world.trajectory({ task: 'multihop', split, random });
      const searches = searchesIn(messages);
      expect(messages[1]!.content).toContain(searches[0]!.title);
      const values = searches.map(({ found }) => factsIn(found).map(({ value }) => value));
      const used = [...searches.slice(1).map(({ title }) => title), answer];
      for (const [at, value] of used.entries()) expect(values[at]).toContain(value);
      counts.push(searches.length);
    }
    expect(new Set(counts)).toEqual(new Set([2, 3]));
    // Conversations that are too long are drawn again, so three searches are rarer than they are tried.
    const share = counts.filter((count) => count === 3).length / counts.length;
    expect(share).toBeLessThan(threeSearchesShare + 0.05);
    expect(share).toBeGreaterThan(threeSearchesShare / 4);
  });
});

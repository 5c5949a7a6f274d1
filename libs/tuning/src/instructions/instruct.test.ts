import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { referenceAnswerLogProbabilities, type tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { applyChatTemplate, trainBpe } from '@crucible/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CausalModel } from '../methods/causal-reader.ts';
import { instructionMethod, instructionTemplate } from '../methods/instruction.ts';
import { withoutZeros } from '../testing/without-zeros.ts';
import { instruct, withInstructionFormat, zeroShot } from './instruct.ts';
import { labelledInstructions, rowInstructions } from './instruction-task.ts';
import { parseInstructionTemplate } from './instruction-template.ts';
import { worldInstructions } from './world-instructions.ts';

let model: CausalModel;
beforeAll(async () => {
  const text = 'Say red.\nAnswer: red\nSay blue.\nAnswer: blue\nIs it red or blue? Options:\n- red\n- blue ';
  const tokenizer = await trainBpe([text.repeat(40)], { vocabSize: 340 });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize, maxPositions: 64 };
  const weights = withoutZeros(initLanguageModel(config, Random.seeded(1)), Random.seeded(2));
  model = { weights, config, tokenizer, base: 'tiny@1' };
});

const row = (task: string, cluster: string, prompt: string, answer: string, options?: string[]) => ({
  ...{ task, cluster, prompt, answer, at: 'file:1' },
  ...(options && { options }),
});

describe('instructions of rows', () => {
  it('hold a share of the prompts out, and take the answers of a task as options where they are few', () => {
    const rows = Array.from({ length: 100 }, (_, i) =>
      row('colour', 'a', `What is ${i}?`, i % 2 === 0 ? 'red' : 'blue'),
    );
    const free = Array.from({ length: 20 }, (_, i) => row('free', 'b', `Say ${i}.`, `${i}`));
    const named = [row('named', 'b', 'Which?', 'x', ['x', 'y'])];
    const [colour, other, third] = rowInstructions([...rows, ...free, ...named]);
    expect(colour!.size + colour!.test.length).toBe(100);
    expect(colour!.test.length).toBeGreaterThan(8);
    expect(colour!.test.every(({ options }) => options!.join() === 'blue,red')).toBe(true);
    const tests = new Set(colour!.test.map(({ prompt }) => prompt));
    expect(colour!.prompts!.some((prompt) => tests.has(prompt))).toBe(false);
    const random = Random.seeded(1);
    expect(Array.from({ length: 300 }, () => colour!.draw(random)).some(({ prompt }) => tests.has(prompt))).toBe(false);
    expect([...other!.test, other!.draw(random)].every(({ options }) => options === undefined)).toBe(true);
    expect([third!.draw, third!.test].length).toBe(2);
    expect((third!.test[0] ?? third!.draw(random)).options).toEqual(['x', 'y']);
  });
});

describe('instructions of the world', () => {
  it('are eleven tasks in seven clusters, by about ten templates each, up to three of them inverted', () => {
    const tasks = worldInstructions(1, { train: 60, test: 20 });
    expect(tasks).toHaveLength(11);
    expect([...new Set(tasks.map(({ cluster }) => cluster))]).toEqual([
      ...['sentiment', 'topic', 'question-type', 'comparison', 'editing', 'reading', 'arithmetic'],
    ]);
    for (const { name, cluster, test, draw } of tasks) {
      const random = Random.seeded(5);
      const drawn = Array.from({ length: 200 }, () => draw(random));
      expect(test.length, name).toBeGreaterThanOrEqual(19);
      if (['editing', 'reading', 'arithmetic'].includes(cluster)) continue;
      expect(
        test.every(({ options, answer }) => options!.includes(answer)),
        name,
      ).toBe(true);
      const inverted = drawn.filter(({ options }) => options === undefined).length;
      expect(inverted, name).toBeGreaterThan(0);
      expect(inverted, name).toBeLessThan(80);
    }
  });
});

describe('a task by templates', () => {
  it('is asked by each template that asks for the label, in turn', () => {
    const data = {
      ...{ name: 't', labels: ['0', '1'] },
      train: [{ text: 'a', label: 0 }],
      test: [0, 1, 0].map((label, i) => ({ text: `t${i}`, label })),
    };
    const templates = [
      parseInstructionTemplate('One: {text}'),
      parseInstructionTemplate('Write {label}.', '{text}'),
      parseInstructionTemplate('Two: {text}'),
    ];
    const { test, draw } = labelledInstructions({ cluster: 'c', data, templates, labelNames: ['no', 'yes'] });
    expect(test).toEqual([
      { prompt: 'One: t0', answer: 'no', options: ['no', 'yes'] },
      { prompt: 'Two: t1', answer: 'yes', options: ['no', 'yes'] },
      { prompt: 'One: t2', answer: 'no', options: ['no', 'yes'] },
    ]);
    const random = Random.seeded(1);
    const prompts = new Set(Array.from({ length: 60 }, () => draw(random).prompt));
    expect([...prompts].sort()).toEqual(['One: a', 'Two: a', 'Write no.']);
  });
});

describe('instruction tuning', () => {
  const colours = ['red', 'blue'];
  const rows = Array.from({ length: 40 }, (_, i) =>
    row('say', 'a', `Say ${colours[i % 2]}${'.'.repeat(1 + Math.floor(i / 2))}`, colours[i % 2]!),
  );

  it('ranks options by their log-probability after the prompt', async () => {
    const tasks = rowInstructions(rows);
    const [outcome] = await zeroShot(model, tasks);
    const { test } = tasks[0]!;
    const { tokenizer } = model;
    const weights = model.weights as unknown as ReturnType<typeof tinyLlama>;
    const expected = test.map(({ prompt, answer }) => {
      const ids = tokenizer.encode(`${prompt}\nAnswer:`);
      const sum = (option: string): number =>
        referenceAnswerLogProbabilities(weights, ids, tokenizer.encode(` ${option}`)).reduce((a, b) => a + b, 0);
      const [blue, red] = [sum('blue'), sum('red')];
      return (blue >= red ? 'blue' : 'red') === answer;
    });
    expect(outcome!.ranked).toEqual(expected);
    expect(outcome).toMatchObject({ task: 'say', cluster: 'a', tooLong: 0 });
    expect(outcome!.generated).toHaveLength(test.length);
  });

  it('learns to answer, also what it has not seen, and to stop', async () => {
    const tasks = rowInstructions(rows);
    const weights = await instruct(model, tasks, { steps: 60, rows: 2, time: 64, learningRate: 1e-2, warmupSteps: 5 });
    const [before] = await zeroShot(model, tasks);
    const [after] = await zeroShot({ ...model, weights }, tasks);
    const share = (right: readonly boolean[]): number => right.filter((is) => is).length / right.length;
    expect(share(before!.generated)).toBe(0);
    expect(share(after!.ranked!)).toBe(1);
    expect(share(after!.generated)).toBe(1);
  });

  it('says which instructions are too long, and refuses where none fits', async () => {
    const long = rowInstructions(
      Array.from({ length: 30 }, (_, i) => row('long', 'a', `${'red '.repeat(80)}${i}`, 'red')),
    );
    const [outcome] = await zeroShot(model, long);
    expect(outcome).toMatchObject({ ranked: undefined, generated: [], tooLong: long[0]!.test.length });
    await expect(instruct(model, long, { steps: 1, time: 64 })).rejects.toThrow(
      'instructions: of 100 that were drawn none fits 64 tokens',
    );
  });

  it('as a way of adapting to a task asks it without an example of it', async () => {
    const labels = ['0', '1'];
    const words = { 0: ['red'], 1: ['blue'] };
    const template = instructionTemplate(labels, words, false);
    expect(template.source).toBe('{text}\nWhich of these fits?\nOptions:\n- red\n- blue\nAnswer: {mask}');
    const method = instructionMethod(model, { template, words, tasks: rowInstructions(rows) });
    const settings = { seed: 1, steps: 2, rows: 2, learningRate: 1e-3, warmupShare: 0.1, weightDecay: 0 };
    const tuned = await method.train({ labels, train: [], dev: [] }, { ...settings, evaluations: 0, threads: 1 });
    const [[red, blue] = []] = await tuned.predict([{ text: 'Say red.' }]);
    expect(red! + blue!).toBeCloseTo(1, 6);
    expect(tuned.trainedParameters).toBe(tuned.allParameters);
    await tuned.dispose();
  });

  it('reads conversations as it has learned instructions', () => {
    const tokenizer = withInstructionFormat(model.tokenizer);
    const messages = [{ role: 'user', content: 'Say red.' }] as const;
    expect(applyChatTemplate(tokenizer, [...messages], { addGenerationPrompt: true })).toEqual(
      tokenizer.encode('Say red.\nAnswer:'),
    );
  });
});

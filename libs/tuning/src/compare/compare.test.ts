import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { temporaryFolder, tinyLlamaConfig } from '@crucible/testing';
import { saveTokenizer, trainBpe } from '@crucible/tokenizer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cellResult } from '../testing/cell-result.ts';
import { tinyEncoder } from '../testing/tiny-encoder.ts';
import { withoutZeros } from '../testing/without-zeros.ts';
import { CellRunner } from './cell-runner.ts';
import { compare, type CompareProgress } from './compare.ts';
import type { Cell, CellResult, ComparedModel, Comparison } from './comparison.ts';
import { comparisonPresets } from './plan.ts';

const home = mkdtempSync(join(tmpdir(), 'crucible-compare-'));
afterAll(() => rmSync(home, { recursive: true }));
const texts = Array.from(
  { length: 80 },
  (_, i) => `${i % 2} the film was ${i % 2 === 0 ? 'bad' : 'good'} and so very ${i}`,
);
let comparison: Comparison;

beforeAll(async () => {
  const file = (name: string, lines: readonly string[]): string => {
    writeFileSync(join(home, name), lines.join('\n'));
    return join(home, name);
  };
  const encoder = await tinyEncoder();
  const folderOf = (name: string): string => join(home, name);
  mkdirSync(folderOf('enc'));
  saveModel(folderOf('enc'), { kind: 'masked-language', config: encoder.config, weights: encoder.weights }, { pad: 0 });
  saveTokenizer(encoder.tokenizer, folderOf('enc'));
  const tokenizer = await trainBpe(texts, { vocabSize: 330 });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize };
  for (const [i, name] of ['dec', 'chat'].entries()) {
    mkdirSync(folderOf(name));
    const weights = withoutZeros(initLanguageModel(config, Random.seeded(i)), Random.seeded(2 + i));
    saveModel(folderOf(name), { kind: 'language', config, weights }, { pad: 0 });
    saveTokenizer(tokenizer, folderOf(name));
  }
  const model = (role: ComparedModel['role'], name: string): ComparedModel => {
    return { role, name, folder: folderOf(name), sha256: name, isImported: false };
  };
  const words = { 0: ['bad'], 1: ['good'] };
  comparison = {
    task: { name: 'films', source: { files: { train: file('train.txt', texts) } }, words },
    transfer: [
      { name: 'others', source: { files: { train: file('others.txt', texts.slice(0, 40)) } }, words },
      {
        name: 'numbers',
        source: {
          files: {
            train: file(
              'numbers.txt',
              Array.from({ length: 30 }, (_, i) => `${['one', 'two'][i % 2]} it was ${i}`),
            ),
          },
        },
        words: { one: ['one'], two: ['two'] },
      },
    ],
    models: [model('encoder', 'enc'), model('decoder', 'dec'), model('instructed', 'chat')],
    corpus: [
      file(
        'text.txt',
        Array.from({ length: 400 }, (_, i) => `the film was ${i} and the plot was good ${i * 7}`),
      ),
    ],
    settings: {
      ...comparisonPresets.quick,
      shots: [2, 'all'],
      seeds: [13, 21],
      steps: 2,
      allSteps: 3,
      rows: 4,
      threads: 1,
    },
  };
});

describe('a cell', () => {
  it(
    'of every kind of method is measured, with what it does to the base task and to others',
    { timeout: 120_000 },
    async () => {
      const runner = new CellRunner(comparison);
      await runner.assertFits();
      const run = (more: Partial<Cell>): Promise<CellResult> =>
        runner.run({ part: 'curve', model: 'enc', method: 'prompt', shots: 'all', seed: 13, rate: 2, ...more });
      const asked = await run({ method: 'zero-shot', shots: 0, rate: 1 });
      const prompt = await run({});
      const soft = await run({ model: 'dec', method: 'soft-prompt' });
      const head = await run({ method: 'head-only', shots: 2, seed: 21 });

      expect(prompt).toMatchObject({ model: 'encoder', learningRate: 0.002, steps: 3 });
      expect(prompt.right).toMatch(/^[01]{8}$/);
      expect(prompt.figures.accuracy.value).toBe(Array.from(prompt.right).filter((one) => one === '1').length / 8);
      expect(prompt.trainedParameters).toBe(prompt.allParameters);
      expect(soft.trainedParameters).toBe(20 * tinyLlamaConfig.hiddenSize);

      // Without training nothing is forgotten; with it, all of the encoder has changed.
      expect(asked.trainedParameters).toBe(0);
      expect(prompt.baseLoss).toBeGreaterThan(0);
      expect(prompt.baseLoss).not.toBe(asked.baseLoss);
      expect(soft.baseLoss).toBeGreaterThan(0);
      // Of several seeds the first alone is measured for it.
      expect(head.baseLoss).toBeUndefined();
      expect(prompt.transfer!.map(({ task, by }) => [task, by])).toEqual([
        ['others', 'trained'],
        ['numbers', 'words'],
      ]);
      expect(asked.transfer!.map(({ task }) => task)).toEqual(['others', 'numbers']);
      expect(await run({})).toMatchObject({ right: prompt.right, baseLoss: prompt.baseLoss });
    },
  );

  it('has adapters of about the same number of parameters', async () => {
    const { parameters, tokens } = (await new CellRunner(comparison).equalSizes())!;
    expect(Object.keys(tokens)).toEqual(['lora', 'soft-prompt']);
    const soft = tokens['soft-prompt']! * tinyLlamaConfig.hiddenSize;
    // Where the context holds so many virtual tokens.
    expect(soft).toBeLessThanOrEqual(Math.max(parameters, tinyLlamaConfig.maxPositions * tinyLlamaConfig.hiddenSize));
  });

  it('that cannot be is refused before any training', async () => {
    const fits = (more: Partial<Comparison>): Promise<void> => new CellRunner({ ...comparison, ...more }).assertFits();
    await expect(fits({ settings: { ...comparison.settings, shots: [1000] } })).rejects.toThrow(
      'shots: 1000 of each label are asked for',
    );
    await expect(fits({ task: { ...comparison.task, words: { 0: ['bad'] } } })).rejects.toThrow(
      'label words: label "1" has none',
    );
    await expect(fits({ task: { ...comparison.task, words: { 0: ['bad'], 1: ['中'] } } })).rejects.toThrow(
      'label words: "中" of label "1" is not in the model\'s vocabulary',
    );
    const [encoder] = comparison.models as [ComparedModel];
    await expect(fits({ models: [{ ...encoder, role: 'decoder' }] })).rejects.toThrow(
      'enc is a model of the kind masked-language; one of the kind language is needed',
    );
  });
});

describe('a comparison', () => {
  /** Measures nothing, and remembers what it was asked for. */
  function recorder() {
    const asked: Cell[] = [];
    return {
      asked,
      run: (cell: Cell): Promise<CellResult> => {
        asked.push(cell);
        const right = cell.rate === 3 ? '1111' : '1100';
        return Promise.resolve(cellResult({ ...cell, right, more: { baseLoss: 4 } }));
      },
    };
  }

  it('measures every cell once, over several starts', async () => {
    const folder = temporaryFolder();
    const progress: CompareProgress[] = [];
    const first = recorder();
    const outcome = await compare(comparison, { folder, run: first.run, report: (one) => progress.push(one) });
    expect(outcome).toMatchObject({ failed: [], stopped: false, all: first.asked.length });
    expect(outcome.results.map(({ cell }) => cell)).toEqual(first.asked);
    expect(readdirSync(join(folder, 'cells'))).toHaveLength(first.asked.length);
    expect(progress.at(-1)).toMatchObject({ done: first.asked.length - 1, all: first.asked.length });
    expect(progress.at(-1)!.secondsLeft).toBeCloseTo(2, 0);

    const second = recorder();
    expect((await compare(comparison, { folder, run: second.run })).results).toEqual(outcome.results);
    expect(second.asked).toEqual([]);

    // Other weights, another text: what depends on them is measured again, and nothing else.
    const models = comparison.models.map((model) => (model.name === 'dec' ? { ...model, sha256: 'new' } : model));
    const third = recorder();
    await compare({ ...comparison, models }, { folder, run: third.run });
    expect(third.asked).toEqual(first.asked.filter(({ model }) => model === 'dec'));
    const task = { ...comparison.task, words: { 0: ['terrible'], 1: ['good'] } };
    const fourth = recorder();
    await compare({ ...comparison, task }, { folder, run: fourth.run });
    expect(fourth.asked).toEqual(first.asked);
  });

  it('takes the learning rate that did best on dev', async () => {
    const settings = { ...comparison.settings, rates: [0.3, 1, 3] };
    const { asked, run } = recorder();
    const { results, rates } = await compare({ ...comparison, settings }, { folder: temporaryFolder(), run });
    expect(rates.map(({ cell }) => cell)).toEqual(asked.filter(({ part }) => part === 'rate'));
    const learned = results.filter(({ cell }) => !['zero-shot', 'in-context'].includes(cell.method));
    expect(learned.every(({ cell }) => cell.rate === 3)).toBe(true);
  });

  it('that is stopped keeps what there is, and goes on', async () => {
    const folder = temporaryFolder();
    const stop = new AbortController();
    const { asked, run } = recorder();
    const outcome = await compare(comparison, {
      ...{ folder, signal: stop.signal },
      run: (cell) => {
        if (asked.length === 3) stop.abort();
        return run(cell);
      },
    });
    expect(outcome.stopped).toBe(true);
    expect(outcome.results).toHaveLength(4);
    const rest = recorder();
    const whole = await compare(comparison, { folder, run: rest.run });
    expect(rest.asked).toHaveLength(whole.all - 4);
    expect(whole).toMatchObject({ stopped: false });
  });

  it('goes on after a training that fails, and tries it again the next time', async () => {
    const folder = temporaryFolder();
    const { run } = recorder();
    const isBad = ({ method, shots }: Cell): boolean => method === 'lora' && shots === 2;
    const outcome = await compare(comparison, {
      folder,
      run: (cell) => (isBad(cell) ? Promise.reject(new Error('out of memory')) : run(cell)),
    });
    expect(outcome.failed.map(({ message }) => message)).toEqual(outcome.failed.map(() => 'out of memory'));
    expect(outcome.results.some(({ cell }) => isBad(cell))).toBe(false);
    const second = recorder();
    expect((await compare(comparison, { folder, run: second.run })).failed).toEqual([]);
    expect(second.asked.every(isBad)).toBe(true);
    expect(second.asked).toHaveLength(outcome.failed.length);
  });

  it('takes a damaged result for none', async () => {
    const folder = temporaryFolder();
    await compare(comparison, { folder, run: recorder().run });
    const [file] = readdirSync(join(folder, 'cells')) as [string];
    const path = join(folder, 'cells', file);
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 30));
    const { asked, run } = recorder();
    await compare(comparison, { folder, run });
    expect(asked).toHaveLength(1);
  });
});

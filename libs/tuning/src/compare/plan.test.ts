import { describe, expect, it } from 'vitest';
import { measuredCells, rateCells } from './cells.ts';
import type { Comparison } from './comparison.ts';
import { comparisonPresets, parseComparisonPlan, sortedShots } from './plan.ts';

const parse = (value: unknown) => parseComparisonPlan(JSON.stringify(value), 'plan.json');

describe('a plan', () => {
  it('names tasks, models and settings', () => {
    const plan = parse({
      task: { name: 'sst2', train: 'train.txt', test: 'dev.txt', words: { '0': ['bad'], '1': ['good'] } },
      transfer: ['topic'],
      encoders: ['enc', 'small'],
      instructed: ['chat'],
      corpus: ['books'],
      shots: [1, 'all'],
      steps: 20,
    });
    expect(plan).toEqual({
      task: {
        name: 'sst2',
        source: { files: { train: 'train.txt', test: 'dev.txt' } },
        words: { '0': ['bad'], '1': ['good'] },
      },
      transfer: [{ name: 'topic', source: { world: 'topic' } }],
      encoders: ['enc', 'small'],
      instructed: ['chat'],
      corpus: ['books'],
      settings: { shots: [1, 'all'], steps: 20 },
    });
  });

  it.each([
    ['[]', 'plan.json: an object is needed'],
    ['{', /^plan\.json: it is not JSON: /],
    [{ tsk: 'topic' }, /^plan\.json: tsk is not known; there are task, transfer, /],
    [{ task: 'weather' }, /weather is no task of the built-in world; there are sentiment, topic, question-type$/],
    [{ task: {} }, 'plan.json: task: either world, the name of a built-in task, or train, a file, is needed'],
    [{ task: { world: 'topic', words: { a: 'b' } } }, 'plan.json: task.words.a: a list is needed'],
    [{ transfer: [1] }, 'plan.json: transfer[0]: an object is needed'],
    [{ methods: ['promt'] }, /^plan\.json: methods: "promt" is no method; there are /],
    [{ shots: [0] }, 'plan.json: shots: it is 0; a whole number from 1 is needed'],
    [{ rates: [1, 1] }, 'plan.json: rates: the same stands there twice'],
    [{ seeds: [] }, 'plan.json: seeds: a list of numbers is needed'],
    [{ steps: '40' }, 'plan.json: steps: it is "40"; a whole number from 1 is needed'],
    [{ task: { world: 'topic', templates: { encoder: '{text} {mask' } } }, /template, column 8/],
  ])('that is wrong is refused with its place: %j', (wrong, message) => {
    const json = typeof wrong === 'string' ? wrong : JSON.stringify(wrong);
    expect(() => parseComparisonPlan(json, 'plan.json')).toThrow(message);
  });

  it('has its examples in order, all of them last', () => {
    expect(sortedShots(['all', 16, 1, 4, 16])).toEqual([1, 4, 16, 'all']);
  });
});

describe('the grid', () => {
  const model = (role: 'encoder' | 'decoder' | 'instructed', name: string) => {
    return { role, name, folder: `/${name}`, sha256: name, isImported: false } as const;
  };
  const comparison: Comparison = {
    task: { name: 'topic', source: { world: 'topic' } },
    transfer: [],
    models: [
      ...[model('encoder', 'enc'), model('encoder', 'small'), model('decoder', 'dec'), model('decoder', 'half')],
      ...[model('instructed', 'chat'), model('instructed', 'half-chat')],
    ],
    settings: {
      ...comparisonPresets.whole,
      methods: ['zero-shot', 'fine-tuning', 'prompt', 'in-context', 'lora', 'soft-prompt'],
      shots: ['all', 4, 16],
    },
  };
  const equal = { parameters: 100, tokens: { lora: 1, 'soft-prompt': 9 } };
  const cells = measuredCells(
    comparison,
    (name, method, shots) => (name === 'enc' && method === 'prompt' ? (shots === 'all' ? 0.3 : 3) : 1),
    equal,
  );
  const count = (wanted: object): number =>
    cells.filter((cell) => Object.entries(wanted).every(([key, value]) => cell[key as 'part'] === value)).length;

  it('has every way on the first models, by all seeds', () => {
    expect(count({ part: 'curve', method: 'prompt', shots: 4 })).toBe(5);
    expect(count({ part: 'curve', method: 'lora', shots: 'all' })).toBe(5);
    expect(count({ part: 'curve', method: 'zero-shot' })).toBe(1);
    // Without examples, and with as many as contexts hold.
    expect(count({ part: 'curve', method: 'in-context' })).toBe(1 + 5);
  });

  it('has the other models, the sizes and the model after instructions at 16 examples', () => {
    expect(count({ part: 'size', model: 'small' })).toBe(5 + 5 + 1);
    expect(count({ part: 'parameters', method: 'soft-prompt', size: 9, shots: 16 })).toBe(5);
    expect(count({ part: 'cross', model: 'chat', method: 'soft-prompt', shots: 16 })).toBe(5);
    // The base is asked as the other is, too.
    expect(count({ part: 'cross', model: 'dec', method: 'in-context', asked: 'instructed' })).toBe(1);
    // Of other sizes the pair before and after instructions is asked, and on the first alone something is learned.
    expect(count({ part: 'size', model: 'half', method: 'in-context' })).toBe(2);
    expect(count({ part: 'size', model: 'half', method: 'in-context', asked: 'instructed' })).toBe(1);
    expect(count({ part: 'size', model: 'half', method: 'soft-prompt', shots: 16 })).toBe(5);
    expect(count({ model: 'half-chat' })).toBe(1);
    expect(count({ part: 'size', model: 'half-chat', method: 'in-context' })).toBe(1);
  });

  it('has the learning rates that were found, and looks for them with the same number of tries', () => {
    const found = cells.filter(({ rate }) => rate !== 1);
    expect(found.every(({ model: name, method }) => `${name} ${method}` === 'enc prompt')).toBe(true);
    expect(new Set(found.map(({ shots, rate }) => `${shots} ${rate}`))).toEqual(new Set(['4 3', '16 3', 'all 0.3']));
    const tried = rateCells(comparison);
    const tries = Map.groupBy(tried, (cell) => `${cell.model} ${cell.method}`);
    expect([...tries.keys()].sort()).toEqual([
      ...['chat soft-prompt', 'dec lora', 'dec soft-prompt', 'enc fine-tuning', 'enc prompt'],
      ...['half soft-prompt', 'small fine-tuning', 'small prompt'],
    ]);
    // With few examples, and with all of them where that is measured.
    for (const [name, own] of tries) {
      const shots = /^(enc|dec) /.test(name) ? [16, 'all'] : [16];
      const wanted = shots.flatMap((one) => [0.3, 1, 3].map((rate) => [one, rate]));
      expect(own.map((cell) => [cell.shots, cell.rate])).toEqual(wanted);
    }
    expect(tried.every(({ seed }) => !comparison.settings.seeds.includes(seed))).toBe(true);
    expect(rateCells({ ...comparison, settings: { ...comparison.settings, rates: [1] } })).toEqual([]);
  });
});

/**
 * What can be had without understanding. Every rule of thumb answers a few thousand examples and stays below a rate
 * that is stated here; docs/world.md repeats the table.
 */
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import type { Example, Format, TaskName } from './example.ts';
import { unanswerableShare } from './tasks/lookup.ts';
import { createWorld } from './world.ts';

const world = createWorld();

function draw(task: TaskName, format: Format, count = 3000): Example[] {
  const random = Random.seeded(61);
  return Array.from({ length: count }, () => world.example({ task, format, split: 'train', random }));
}

/** The share of examples that a rule of thumb answers correctly. */
function rate(examples: readonly Example[], guess: (example: Example) => string): number {
  const right = examples.filter((example) => world.verify(example, guess(example), { finished: true }).correct);
  return right.length / examples.length;
}

function userText({ messages }: Example): string {
  return messages.find(({ role }) => role === 'user')!.content;
}

function mostFrequent(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0];
}

/** Says for every example the answer that is most frequent among those with the same feature, in hindsight. */
function majorityBy(examples: readonly Example[], feature: (example: Example) => string): (example: Example) => string {
  const groups = Map.groupBy(examples, feature);
  const answers = new Map(Array.from(groups, ([key, group]) => [key, mostFrequent(group.map(({ answer }) => answer))]));
  return (example) => answers.get(feature(example))!;
}

function labelsOf({ expected }: Example): string[] {
  return expected.kind === 'label' ? [...expected.labels].sort() : [];
}

describe.each([
  ['sentiment', 2, 0.54],
  ['topic', 6, 0.21],
  ['question-type', 6, 0.26],
] as const)('%s, with %i labels', (task, count, limit) => {
  const examples = draw(task, 'plain');
  const shots = draw(task, 'few-shot');

  it('is not decided by the most frequent label, the order of the labels, or the length', () => {
    const guesses = {
      'most frequent': majorityBy(examples, (example) => labelsOf(example).join()),
      'first named': (example: Example) => {
        const text = userText(example).toLowerCase();
        return labelsOf(example).sort((a, b) => ((text.indexOf(a) + 1e6) % 1e6) - ((text.indexOf(b) + 1e6) % 1e6))[0]!;
      },
    };
    for (const [name, guess] of Object.entries(guesses)) expect(rate(examples, guess), name).toBeLessThan(limit);
    expect(labelsOf(examples[0]!)).toHaveLength(count);
  });

  it('is not decided by the labels of the solved examples', () => {
    const shown = (example: Example): string[] =>
      userText(example)
        .split('\n\n')
        .slice(0, -1)
        .map((shot) => shot.split(/[ \n]/).at(-1)!);
    expect(rate(shots, (example) => shown(example).at(-1)!)).toBeLessThan(limit);
    expect(rate(shots, (example) => mostFrequent(shown(example)))).toBeLessThan(limit);
  });
});

describe('sentiment', () => {
  const examples = draw('sentiment', 'plain', 12_000).filter((example) => labelsOf(example).includes('positive'));
  const positive =
    /\b(?:tasty|fresh|delicious|rich|clean|bright|pretty|cosy|kind|polite|helpful|careful|exciting|clever|funny|beautiful|wonderful|excellent|great|lovely|loved|enjoyed|admired)\b/g;
  const negative =
    /\b(?:stale|bitter|burnt|sour|dirty|noisy|damp|ugly|rude|lazy|careless|cruel|boring|dull|silly|tiresome|terrible|awful|poor|horrible|hated|disliked|regretted)\b/g;

  it('is only partly decided by the words of praise and blame', () => {
    const guess = (example: Example): string => {
      const balance =
        (userText(example).match(positive)?.length ?? 0) - (userText(example).match(negative)?.length ?? 0);
      return balance >= 0 ? 'positive' : 'negative';
    };
    expect(rate(examples, guess)).toBeLessThan(0.69);
  });

  it('is only partly decided by the last of these words', () => {
    const guess = (example: Example): string => {
      const text = userText(example);
      const last = (pattern: RegExp): number => [...text.matchAll(pattern)].at(-1)?.index ?? -1;
      return last(positive) > last(negative) ? 'positive' : 'negative';
    };
    expect(rate(examples, guess)).toBeLessThan(0.75);
  });

  it('has texts of the same length on both sides', () => {
    const mean = (label: string): number => {
      const lengths = examples.filter(({ answer }) => answer === label).map((example) => userText(example).length);
      return lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    };
    expect(Math.abs(mean('positive') / mean('negative') - 1)).toBeLessThan(0.04);
  });
});

describe('question-type', () => {
  it('is only partly decided by the first word', () => {
    const examples = draw('question-type', 'few-shot').filter((example) => labelsOf(example).includes('reason'));
    const firstWord = (example: Example): string => {
      const last = userText(example).split('\n\n').at(-1)!;
      return /(?:Text: |Input: )?(\w+)/.exec(last)![1]!;
    };
    expect(rate(examples, majorityBy(examples, firstWord))).toBeLessThan(0.7);
  });
});

describe('lookup', () => {
  const cited = draw('lookup', 'passages');
  const documentOf = (example: Example): { passages: string[]; subject: string } => {
    const text = userText(example);
    const passages = [...text.matchAll(/^\[\d+\] (.*)$/gm)].map(([, passage]) => passage!);
    const question = text.split('\n').find((line) => !line.startsWith('[') && line.includes('?')) ?? text;
    const names = question.match(/\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?/gu) ?? [];
    return { passages, subject: names.findLast((name) => passages.some((passage) => passage.includes(name))) ?? '' };
  };
  /** Answers with what the passage says, as if that were known. */
  const reading = (choose: (passages: readonly string[], subject: string, random: Random) => number) => {
    const random = Random.seeded(62);
    return (example: Example): string => {
      const { passages, subject } = documentOf(example);
      const passage = choose(passages, subject, random) + 1;
      const { expected } = example;
      if (expected.kind !== 'passage') return '';
      const known = [...(expected.answer === null ? [] : [expected.answer]), ...expected.others];
      const value = known.find((candidate) => candidate.passage === passage)?.value ?? '';
      return `${value} [${passage}]`;
    };
  };

  it('is not decided by the place or the length of a passage', () => {
    expect(
      rate(
        cited,
        reading(() => 0),
      ),
    ).toBeLessThan(0.39);
    expect(
      rate(
        cited,
        reading((passages) => passages.length - 1),
      ),
    ).toBeLessThan(0.39);
    const longest = (passages: readonly string[]): number =>
      passages.indexOf(passages.toSorted((a, b) => b.length - a.length)[0]!);
    expect(rate(cited, reading(longest))).toBeLessThan(0.39);
  });

  it('is only partly decided by the name in the question', () => {
    const naming = (passages: readonly string[], subject: string, random: Random): number =>
      random.pick([...passages.keys()].filter((i) => passages[i]!.includes(subject)));
    expect(rate(cited, reading(naming))).toBeLessThan(0.59);
  });

  it('on pages is only partly decided by the page that is asked about', () => {
    const random = Random.seeded(63);
    const pages = draw('lookup', 'pages');
    const ofPage = (example: Example): string => {
      const { passages, subject } = documentOf(example);
      const number = passages.findIndex((passage) => passage.split('. ')[0]!.includes(subject)) + 1;
      const { expected } = example;
      if (expected.kind !== 'passage') return '';
      const known = [...(expected.answer === null ? [] : [expected.answer]), ...expected.others];
      const values = known.filter(({ passage }) => passage === number);
      return values.length === 0 ? '' : `${random.pick(values).value} [${number}]`;
    };
    expect(rate(pages, ofPage)).toBeLessThan(0.4);
  });

  it('has no answer as often as it is meant to', () => {
    const missing = rate(cited, () => 'The passages do not say.');
    expect(Math.abs(missing - unanswerableShare)).toBeLessThan(0.02);
  });
});

describe('multihop', () => {
  it('is not decided by the first or the last name of what was found', () => {
    const examples = draw('multihop', 'react', 1500).filter(({ messages }) => messages.at(-1)!.role === 'tool');
    const naming =
      (at: 0 | -1, action: string) =>
      (example: Example): string => {
        const step = example.messages.filter(({ role }) => role === 'tool').length + 1;
        const names =
          example.messages
            .at(-1)!
            .content.replace(/^Observation \d: /, '')
            .match(/\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?/gu) ?? [];
        return `Thought ${step}: I see.\nAction ${step}: ${action}[${names.at(at)}]`;
      };
    for (const at of [0, -1] as const) {
      for (const action of ['Search', 'Finish']) expect(rate(examples, naming(at, action))).toBeLessThan(0.3);
    }
  });
});

describe('arithmetic and instructions', () => {
  it('have no answer that is right by habit', () => {
    for (const task of ['arithmetic', 'instructions'] as const) {
      const examples = draw(task, 'plain');
      expect(rate(examples, () => mostFrequent(examples.map(({ answer }) => answer)))).toBeLessThan(0.08);
    }
  });

  it('are not done by copying', () => {
    const examples = draw('instructions', 'plain');
    expect(rate(examples, (example) => userText(example).split(': ').at(-1)!)).toBeLessThan(0.13);
  });
});

/**
 * The promise of the splits, held against text: what is found in tens of thousands of samples of train is not found in
 * the other splits. Nothing here asks the generator on which side something is.
 */
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import type { Example, TaskName } from './example.ts';
import { taskNames } from './example.ts';
import { drawName, nameKinds } from './names.ts';
import type { Split } from './split.ts';
import { splits } from './split.ts';
import { factsIn } from './testing/fact-reading.ts';
import { createWorld } from './world.ts';

const world = createWorld({ seed: 3 });

const samples = Object.fromEntries(
  splits.map((split) => {
    const random = Random.seeded(51).fork(split);
    // As many of every task, however often it is drawn.
    const count = split === 'train' ? 2200 : 750;
    const draw = (task: TaskName): Example[] =>
      Array.from({ length: count }, () => world.example({ task, split, random }));
    return [split, taskNames.flatMap(draw)];
  }),
) as Record<Split, Example[]>;

const documents = (() => {
  const random = Random.seeded(52);
  return Array.from({ length: 8000 }, () => world.document(random));
})();

const others = ['heldout', 'unseen'] as const;

function ofTask(split: Split, ...tasks: TaskName[]): Example[] {
  return samples[split].filter(({ task }) => tasks.includes(task));
}

function textOf({ messages, response }: Example): string {
  return [...messages.map(({ content }) => content), response].join('\n');
}

/** What phrasings make: messages of the user, or the solved examples in them. */
function phrasedParts(example: Example): string[] {
  const text = userText(example);
  return example.format === 'few-shot' ? text.split('\n\n').slice(0, -1) : [text];
}

function userText({ messages }: Example): string {
  return messages.find(({ role }) => role === 'user')!.content;
}

/** What stands in the slots of the phrasing of an example. */
function slotsOf({ phrasing, ...example }: Example): Record<string, string> | undefined {
  return patternOf(phrasing).exec(userText(example as Example))?.groups;
}

const patterns = new Map<string, RegExp>();

/** What may stand in a slot; anything in those that are not named here. */
const slotPatterns: Record<string, string> = {
  ...Object.fromEntries(['a', 'b', 'first', 'second', 'third'].map((name) => [name, '[\\d.]+'])),
  expression: '[-\\d.() +*×/÷]+',
  text: '[^\\n:]+',
  label: '\\w+',
  sign: '[-+*×]',
  word: '(?:plus|minus|times)',
  labels: '\\w+(?:, \\w+)* or \\w+',
  mark: '(?:a dash|a slash|a plus|the word and)',
  // Empty where any letter will do.
  that: '(?: that begin with \\w)?',
  words: '\\w+(?:,? \\w+)*',
  numbers: '\\d+(?:, \\d+)*',
  ...Object.fromEntries(['end', 'kind', 'letter', 'count', 'things', 'name'].map((name) => [name, '\\w+'])),
};

/** A regular expression for all messages that a phrasing makes; a slot that comes again is not named again. */
function patternOf(phrasing: string): RegExp {
  let pattern = patterns.get(phrasing);
  if (pattern === undefined) {
    const named = new Set<string>();
    const source = phrasing.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, (_slot, name: string) => {
      const inner = slotPatterns[name] ?? '[^]+?';
      if (named.has(name)) return `(?:${inner})`;
      named.add(name);
      return `(?<${name}>${inner})`;
    });
    pattern = new RegExp(`^${source}$`);
    patterns.set(phrasing, pattern);
  }
  return pattern;
}

describe('numbers', () => {
  const numbersIn = (text: string): string[] => text.match(/\d+(?:\.\d+)?/g) ?? [];
  const pair = (a: string, b: string): string => [a, b].sort().join(' ');
  const allPairs = (numbers: readonly string[]): string[] =>
    numbers.flatMap((a, i) => numbers.slice(i + 1).map((b) => pair(a, b)));

  const pairsInEquations = documents.flatMap((text) =>
    [...text.matchAll(/(\d+) [-+*] (\d+)/g)].map(([, a, b]) => pair(a!, b!)),
  );

  it('meet in train only if they never meet elsewhere', () => {
    const train = new Set([
      ...ofTask('train', 'arithmetic', 'calculation').flatMap((example) => allPairs(numbersIn(userText(example)))),
      ...pairsInEquations,
      ...documents
        .filter((text) => text.includes('def solution'))
        .flatMap((text) => allPairs(numbersIn(text.split('\ndef')[0]!))),
    ]);
    expect(train.size).toBeGreaterThan(8000);
    for (const split of others) {
      const examples = ofTask(split, 'arithmetic', 'calculation');
      expect(examples.length).toBe(1500);
      for (const example of examples) {
        const [a, b] = numbersIn(userText(example)) as [string, string];
        expect(train.has(pair(a, b)), userText(example)).toBe(false);
      }
    }
  });

  it('of one digit all meet in train', () => {
    const sums = new Set([
      ...ofTask('train', 'arithmetic').flatMap((example) => allPairs(numbersIn(userText(example)))),
      ...pairsInEquations,
    ]);
    const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const missing = digits
      .flatMap((a) => digits.map((b) => pair(String(a), String(b))))
      .filter((sum) => !sums.has(sum));
    expect(missing).toEqual([]);
  });
});

describe('facts', () => {
  it('of heldout and unseen are never told in train', () => {
    const key = ({ subject, attribute, value }: ReturnType<typeof factsIn>[number]): string =>
      `${subject} | ${attribute} | ${value}`;
    const factsOf = (texts: readonly string[]): Set<string> => new Set(texts.flatMap(factsIn).map(key));
    const told = (split: Split): string[] => ofTask(split, 'lookup', 'multihop').map(textOf);
    const train = factsOf([
      ...told('train'),
      ...documents,
      ...world.encyclopedia('train').pages.map(({ sentences }) => sentences.join(' ')),
    ]);
    expect(train.size).toBeGreaterThan(20_000);
    for (const split of others) {
      const pages = world.encyclopedia(split).pages.map(({ sentences }) => sentences.join(' '));
      const facts = factsOf([...told(split), ...pages]);
      expect(facts.size).toBeGreaterThan(1500);
      expect(facts.intersection(train)).toEqual(new Set());
    }
  });

  it('leave to heldout the names of train', () => {
    const towns = (split: Split): string[] =>
      ofTask(split, 'lookup')
        .flatMap((example) => factsIn(textOf(example)))
        .filter(({ attribute }) => attribute === 'mayor')
        .map(({ subject }) => subject);
    const met = new Set(
      [...samples.train.map(textOf), ...documents].flatMap((text) => text.match(/[A-Z][a-z]+/g) ?? []),
    );
    const shareMet = (split: Split): number => {
      const names = towns(split);
      expect(names.length).toBeGreaterThan(30);
      return names.filter((name) => met.has(name)).length / names.length;
    };
    expect(shareMet('heldout')).toBeGreaterThan(0.9);
    expect(shareMet('unseen')).toBe(0);
  });
});

describe('sentences and lists', () => {
  it('of heldout and unseen do not occur in train', () => {
    const tasks = ['sentiment', 'topic', 'question-type'] as const;
    const trainText = [...ofTask('train', ...tasks).map(userText), ...documents].join('\n');
    for (const split of others) {
      const texts = ofTask(split, ...tasks).flatMap((example) => slotsOf(example)?.['text'] ?? []);
      expect(texts.length).toBeGreaterThan(500);
      expect(texts.slice(0, 500).filter((text) => trainText.includes(text))).toEqual([]);
    }
  });

  it('of heldout and unseen are not even sorted otherwise in train', () => {
    const listOf = (example: Example): string[] => {
      const slots = slotsOf(example);
      const list = slots?.['words'] ?? slots?.['numbers'];
      return list === undefined ? [] : [list.toLowerCase().split(/,? /).sort().join(' ')];
    };
    const inDocuments = documents.flatMap((text) =>
      [...text.matchAll(/(?:words|numbers|[A-Z][a-z]+s): ([^.]*)\./g)].map(([, list]) =>
        list!.toLowerCase().split(/,? /).sort().join(' '),
      ),
    );
    const train = new Set([...ofTask('train', 'instructions').flatMap(listOf), ...inDocuments]);
    expect(train.size).toBeGreaterThan(2000);
    for (const split of others) {
      const lists = new Set(ofTask(split, 'instructions').flatMap(listOf));
      expect(lists.size).toBeGreaterThan(400);
      expect(lists.intersection(train)).toEqual(new Set());
    }
  });
});

describe('phrasings', () => {
  const phrasingsOf = (split: Split, task: TaskName): Set<string> =>
    new Set(ofTask(split, task).map(({ phrasing }) => phrasing));

  it('are given with every example as they are', () => {
    for (const example of splits.flatMap((split) => samples[split])) {
      for (const part of phrasedParts(example)) expect(part).toMatch(patternOf(example.phrasing));
    }
  });

  it.each(taskNames)('of train are none of those of unseen, and make none of its messages: %s', (task) => {
    const train = ofTask('train', task);
    const reserved = phrasingsOf('unseen', task);
    expect(reserved.intersection(phrasingsOf('train', task))).toEqual(new Set());
    const messages = new Set(train.flatMap(phrasedParts));
    for (const phrasing of reserved) {
      const pattern = patternOf(phrasing);
      expect([...messages].filter((message) => pattern.test(message)).slice(0, 3), phrasing).toEqual([]);
    }
  });

  // Those of lookup and calculation are put together of two, each of which is reserved or not.
  it.each(taskNames.filter((task) => task !== 'lookup' && task !== 'calculation'))(
    'of heldout are those of train in half of the draws, and those of unseen in the others: %s',
    (task) => {
      const [train, reserved] = [phrasingsOf('train', task), phrasingsOf('unseen', task)];
      const drawn = ofTask('heldout', task).map(({ phrasing }) => phrasing);
      expect(drawn.filter((phrasing) => !train.has(phrasing) && !reserved.has(phrasing))).toEqual([]);
      expect(Math.abs(drawn.filter((phrasing) => reserved.has(phrasing)).length / drawn.length - 0.5)).toBeLessThan(
        0.07,
      );
    },
  );

  it('that are reserved say nothing in words that train does not have', () => {
    const words = (text: string): string[] =>
      text
        .replace(/\{\w+\}/g, ' ')
        .toLowerCase()
        .match(/\p{L}+/gu) ?? [];
    const known = new Set(samples.train.flatMap((example) => words(userText(example))));
    const reserved = new Set(samples.unseen.map(({ phrasing }) => phrasing));
    expect([...reserved].flatMap(words).filter((word) => !known.has(word))).toEqual([]);
  });
});

describe('names', () => {
  const common = new Set(['Mount', 'Lake', 'Bridge', 'Tower', 'Mill', 'Hall', 'Gate', 'Castle']);
  const poolOf = (split: Split): Set<string> => {
    const random = Random.seeded(53);
    const names = nameKinds.flatMap((kind) => Array.from({ length: 5000 }, () => drawName(kind, split, random)));
    return new Set(names.flatMap((name) => name.split(' ')).filter((word) => !common.has(word)));
  };
  const wordsOf = (texts: readonly string[]): Set<string> =>
    new Set(texts.flatMap((text) => text.match(/\p{Lu}\p{L}+/gu) ?? []));

  it('of unseen occur nowhere else, and those of elsewhere not in unseen', () => {
    const seenNames = poolOf('train');
    const unseenNames = poolOf('unseen');
    const seen = wordsOf([...samples.train.map(textOf), ...samples.heldout.map(textOf), ...documents]);
    const unseen = wordsOf(samples.unseen.map(textOf));
    expect(seen.intersection(unseenNames)).toEqual(new Set());
    expect(unseen.intersection(seenNames)).toEqual(new Set());
    expect(seen.intersection(seenNames).size).toBeGreaterThan(2000);
    expect(unseen.intersection(unseenNames).size).toBeGreaterThan(600);
  });
});

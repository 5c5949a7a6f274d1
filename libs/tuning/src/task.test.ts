import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { kShot, readTask, worldTask } from './task.ts';

function file(lines: readonly string[]): string {
  const path = join(temporaryFolder(), 'data.txt');
  writeFileSync(path, lines.join('\n'));
  return path;
}

describe('readTask', () => {
  it('splits off dev and test, the same for the same seed', async () => {
    const path = file(Array.from({ length: 100 }, (_, i) => `${i % 3} text ${i}`));
    const first = await readTask('x', { train: path }, 1);
    expect([first.train.length, first.dev.length, first.test.length]).toEqual([80, 10, 10]);
    const texts = [...first.train, ...first.dev, ...first.test].map(({ text }) => text);
    expect(new Set(texts).size).toBe(100);
    expect(first.labels).toEqual(['0', '1', '2']);
    expect(first.train.every(({ text, label }) => Number(text.slice(5)) % 3 === label)).toBe(true);
    expect(await readTask('x', { train: path }, 1)).toEqual(first);
    expect((await readTask('x', { train: path }, 2)).test).not.toEqual(first.test);
  });

  it('refuses data of one label, and labels that training does not have', async () => {
    const path = file(['1 a', '1 b']);
    await expect(readTask('x', { train: path }, 1)).rejects.toThrow(
      `${path}: all 2 rows have the label 1; two labels are needed`,
    );
    const [train, test] = [file(['1 a', '0 b']), file(['2 c'])];
    await expect(readTask('x', { train, test }, 1)).rejects.toThrow(
      `${test}:1: label 2 is not in ${train}; there are 0, 1`,
    );
  });
});

describe('worldTask', () => {
  it('draws labelled texts, and none of them twice', () => {
    const sizes = { train: 200, dev: 30, test: 60 };
    for (const name of ['sentiment', 'topic', 'question-type'] as const) {
      const { train, dev, test, labels } = worldTask(name, 1, sizes);
      expect([train.length, dev.length, test.length]).toEqual([200, 30, 60]);
      expect(new Set([...train, ...dev, ...test].map(({ text }) => text)).size).toBe(290);
      expect(new Set(train.map(({ label }) => label)).size).toBe(labels.length);
    }
  });
});

describe('kShot', () => {
  const examples = Array.from({ length: 50 }, (_, i) => ({ text: String(i), label: i % 2 }));

  it('draws as many of each label', () => {
    const drawn = kShot(examples, ['a', 'b'], 8, 13);
    expect(drawn.filter(({ label }) => label === 0)).toHaveLength(8);
    expect(new Set(drawn.map(({ text }) => text)).size).toBe(16);
    expect(kShot(examples, ['a', 'b'], 8, 13)).toEqual(drawn);
    expect(kShot(examples, ['a', 'b'], 8, 21)).not.toEqual(drawn);
  });

  it('names the label of which there are too few', () => {
    expect(() => kShot(examples.slice(0, 5), ['a', 'b'], 3, 1)).toThrow(
      'shots: 3 of each label are asked for, and label b has 2',
    );
  });
});

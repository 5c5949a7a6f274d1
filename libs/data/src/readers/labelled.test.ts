import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { readLabelled } from './labelled.ts';
import { all } from './testing/all.ts';

function file(name: string, lines: readonly string[]): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, lines.join('\n'));
  return path;
}

describe('readLabelled', () => {
  it('reads every spelling of a row', async () => {
    const path = file('a.jsonl', [
      '{"text": "good", "label": "positive"}',
      '{"sentence": "bad", "label": 0, "idx": 7}',
      '{"review": "so so", "category": true}',
      '{"premise": "a", "hypothesis": "b", "class": "yes"}',
    ]);
    const records = await all(readLabelled(path));
    expect(records.map(({ text, pair, label }) => [text, pair, label])).toEqual([
      ['good', undefined, 'positive'],
      ['bad', undefined, '0'],
      ['so so', undefined, 'true'],
      ['a', 'b', 'yes'],
    ]);
    expect(records[1]!.at).toBe(`${path}:2`);
  });

  it('reads lines that begin with their label', async () => {
    const path = file('a.txt', ['1 a stirring , funny one', '', '0  apparently not']);
    expect(await all(readLabelled(path))).toEqual([
      { label: '1', text: 'a stirring , funny one', at: `${path}:1` },
      { label: '0', text: 'apparently not', at: `${path}:3` },
    ]);
  });

  it.each([
    ['a.jsonl', '{"text": "a"}', ':1: has the fields "text"; allowed are a text (text, sentence, '],
    ['a.jsonl', '{"text": " ", "label": 1}', ':1: text: is empty'],
    [
      'a.jsonl',
      '{"text": "a", "label": 0.5}',
      ':1: label: is no label; a text, a whole number, true or false is needed',
    ],
    ['a.txt', 'alone', ':1: is no label, a space and a text'],
    ['a.txt', '', ': has no labelled line'],
  ])('refuses %s with %s', async (name, line, message) => {
    await expect(all(readLabelled(file(name, [line])))).rejects.toThrow(message);
  });
});

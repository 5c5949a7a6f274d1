import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JsonField } from './json-field.ts';
import { type Description, describeOurs, digest, isMistaken, specialIds } from './testing/huggingface.ts';
import { formatTokenizerJson, parseTokenizerJson } from './tokenizer-json.ts';
import { Tokenizer } from './tokenizer.ts';
import { trainBpe } from './training/train-bpe.ts';

interface Fixture {
  readonly tokenizers: string;
  readonly trainingText: string;
  readonly texts: string[];
  readonly families: {
    readonly name: string;
    readonly tokenizer: object;
    readonly special: number[][];
    /** Only where it is not the same as in `special`. */
    readonly plain: Readonly<Record<number, number[]>>;
    readonly encodings: string;
    readonly pairs: string;
    readonly decoded: string;
    readonly skipping: string;
  }[];
}

// Written by fixtures/huggingface.py.
const path = join(import.meta.dirname, '../fixtures/generated/families.json');
const { tokenizers, trainingText, texts, families } = JSON.parse(readFileSync(path, 'utf8')) as Fixture;

function parsed(json: object): Tokenizer {
  return new Tokenizer(parseTokenizerJson(new JsonField(json, 'tokenizer.json')));
}

function byText(ids: number[][]): { text: string; ids: number[] }[] {
  return texts.map((text, i) => ({ text, ids: ids[i]! }));
}

it(`trainBpe makes the tokenizer.json of tokenizers ${tokenizers}`, async () => {
  const { tokenizer } = families.find(({ name }) => name === 'own')!;
  const { definition } = await trainBpe([trainingText], { vocabSize: 400 });
  expect(JSON.parse(formatTokenizerJson(definition))).toEqual(tokenizer);
});

describe.each(families)(`a tokenizer.json like that of $name, held against tokenizers ${tokenizers}`, (family) => {
  const tokenizer = parsed(family.tokenizer);
  const ours = describeOurs(tokenizer, texts);

  it('gives the same ids', () => {
    expect(byText(ours.special)).toEqual(byText(family.special));
  });

  it('gives the same ids where special tokens are not looked for, and makes none of text', () => {
    for (const [i, text] of texts.entries()) {
      const theirs = family.plain[i] ?? family.special[i]!;
      if (!isMistaken(tokenizer, text, theirs)) expect([text, ours.plain[i]]).toEqual([text, theirs]);
      expect(specialIds(tokenizer, ours.plain[i]!)).toEqual([]);
    }
  });

  it.each(['encodings', 'pairs', 'decoded', 'skipping'] as const satisfies (keyof Description)[])(
    'gives the same %s',
    (what) => {
      expect(digest(ours[what])).toBe(family[what]);
    },
  );

  it('is the same after it has been written and read', () => {
    const again = parsed(JSON.parse(formatTokenizerJson(tokenizer.definition)) as object);
    expect(again.definition).toEqual(tokenizer.definition);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JsonField } from './json-field.ts';
import { formatTokenizerJson, parseTokenizerJson } from './tokenizer-json.ts';
import { Tokenizer } from './tokenizer.ts';
import { trainBpe } from './train-bpe.ts';

interface Fixture {
  readonly tokenizers: string;
  readonly trainingText: string;
  readonly texts: string[];
  readonly flavours: { name: string; tokenizer: object; plain: number[][]; special: number[][] }[];
}

// Written by fixtures/huggingface.py.
const path = join(import.meta.dirname, '../fixtures/generated/huggingface.json');
const { tokenizers, trainingText, texts, flavours } = JSON.parse(readFileSync(path, 'utf8')) as Fixture;

function parsed(json: object): Tokenizer {
  return new Tokenizer(parseTokenizerJson(new JsonField(json, 'tokenizer.json')));
}

function idsOfTexts(encode: (text: string) => number[]): { text: string; ids: number[] }[] {
  return texts.map((text) => ({ text, ids: encode(text) }));
}

function written(ids: number[][]): { text: string; ids: number[] }[] {
  return texts.map((text, i) => ({ text, ids: ids[i]! }));
}

it(`trainBpe makes the tokenizer.json of tokenizers ${tokenizers}`, async () => {
  const { tokenizer } = flavours.find(({ name }) => name === 'own')!;
  const { definition } = await trainBpe([trainingText], { vocabSize: 353 });
  expect(JSON.parse(formatTokenizerJson(definition))).toEqual(tokenizer);
});

describe.each(flavours)(`a tokenizer.json like $name's`, (flavour) => {
  const tokenizer = parsed(flavour.tokenizer);

  it(`gives the ids of tokenizers ${tokenizers}`, () => {
    expect(idsOfTexts((text) => tokenizer.encodeWithSpecialTokens(text))).toEqual(written(flavour.special));
  });

  it(`gives the ids of tokenizers ${tokenizers} without looking for special tokens`, () => {
    expect(idsOfTexts((text) => tokenizer.encode(text))).toEqual(written(flavour.plain));
  });

  it('gives the same ids after it has been written and read', () => {
    const again = parsed(JSON.parse(formatTokenizerJson(tokenizer.definition)) as object);
    expect(idsOfTexts((text) => again.encodeWithSpecialTokens(text))).toEqual(written(flavour.special));
  });
});

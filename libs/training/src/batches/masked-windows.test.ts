import { Random } from '@crucible/foundation';
import { trainBpe, trainWordPiece } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import { maskedSource, maskedVocabulary, type MaskedVocabulary } from './masked-windows.ts';
import { streamSource } from './token-windows.ts';

/** Tokens 3 to 1002; the odd ones go on with a word. */
const vocabulary: MaskedVocabulary = {
  cls: 0,
  sep: 1,
  mask: 2,
  size: 1003,
  continues: Uint8Array.from({ length: 1003 }, (_, id) => Number(id > 2 && id % 2 === 1)),
  special: Uint8Array.from({ length: 1003 }, (_, id) => Number(id < 3)),
};

function draw(wholeWords: boolean, rows = 64, time = 66) {
  const random = Random.seeded(3);
  const stream = Int32Array.from({ length: 20_000 }, (_, i) => (i % 50 === 0 ? 1 : random.integer(3, 1002)));
  const text = streamSource(stream, 1);
  const batch = maskedSource(text, vocabulary, { share: 0.15, wholeWords }, 7).batch(2, rows, time);
  return { batch, original: text.batch(2, rows, time - 2).ids.data, rows, time };
}

/** The masked places of a batch, as [place in the batch, original token]. */
function masked({ batch }: ReturnType<typeof draw>): [number, number][] {
  return Array.from(batch.at.data, (at, i): [number, number] => [at, batch.targets.data[i]!]).filter(
    (_, i) => batch.weights.data[i]! > 0,
  );
}

describe('maskedSource', () => {
  it('puts the text between [CLS] and [SEP] and changes masked places alone', () => {
    const drawn = draw(true);
    const { batch, original, rows, time } = drawn;
    const places = new Map(masked(drawn));
    for (let row = 0; row < rows; row++) {
      expect([batch.ids.data[row * time], batch.ids.data[(row + 1) * time - 1]]).toEqual([0, 1]);
      for (let i = 1; i < time - 1; i++) {
        const before = original[row * (time - 2) + i - 1]!;
        const place = row * time + i;
        if (places.has(place)) expect(places.get(place)).toBe(before);
        else expect(batch.ids.data[place]).toBe(before);
      }
    }
  });

  it('masks 15 % of the tokens: 80 % by [MASK], 10 % by any token, 10 % not at all; never a special one', () => {
    const drawn = draw(false, 256);
    const places = masked(drawn);
    // 64 tokens a row, of which 9.6 are 15 %
    expect(places).toHaveLength(256 * 10);
    expect(places.every(([, id]) => id > 2)).toBe(true);
    const seen = places.map(([at]) => drawn.batch.ids.data[at]!);
    const share = (is: (id: number, i: number) => boolean): number => seen.filter(is).length / seen.length;
    expect(share((id) => id === 2)).toBeCloseTo(0.8, 1);
    expect(share((id, i) => id === places[i]![1])).toBeCloseTo(0.1, 1);
    const others = seen.filter((id, i) => id !== 2 && id !== places[i]![1]);
    expect(others.length / seen.length).toBeCloseTo(0.1, 1);
    expect(others.every((id) => id > 2)).toBe(true);
    expect(new Set(others).size).toBeGreaterThan(others.length * 0.8);
    expect(drawn.batch.weights.data.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
  });

  it('masks words whole', () => {
    const drawn = draw(true);
    const places = new Map(masked(drawn));
    const { original, time } = drawn;
    const tokenAt = (place: number): number | undefined => {
      const i = (place % time) - 1;
      return i < 0 || i >= time - 2 ? undefined : original[Math.floor(place / time) * (time - 2) + i];
    };
    const goesOn = (id: number | undefined): boolean => id !== undefined && vocabulary.continues[id] === 1;
    expect(places.size).toBeGreaterThan(64 * 7);
    for (const [place, id] of places) {
      if (goesOn(tokenAt(place + 1))) expect(places.has(place + 1)).toBe(true);
      const before = tokenAt(place - 1);
      if (goesOn(id) && before !== undefined && before > 2) expect(places.has(place - 1)).toBe(true);
    }
  });

  it('draws the same batch whenever it is asked for, and another for another step', () => {
    expect(draw(true).batch).toEqual(draw(true).batch);
    const text = streamSource(
      Int32Array.from({ length: 5000 }, (_, i) => 3 + (i % 900)),
      1,
    );
    const source = maskedSource(text, vocabulary, { share: 0.15, wholeWords: true }, 7);
    expect(source.batch(0, 4, 20).at.data).not.toEqual(source.batch(1, 4, 20).at.data);
  });
});

describe('maskedVocabulary', () => {
  it('knows which pieces of WordPiece go on with a word', async () => {
    const tokenizer = await trainWordPiece(['low lower lowest, low'], { vocabSize: 60 });
    const { cls, sep, mask, continues, special } = maskedVocabulary(tokenizer);
    expect([cls, sep, mask]).toEqual(['[CLS]', '[SEP]', '[MASK]'].map((token) => tokenizer.tokenToId(token)));
    expect([...special].filter(Boolean)).toHaveLength(5);
    const goOn = Array.from(continues.keys()).filter((id) => continues[id]);
    expect(goOn.map((id) => tokenizer.idToToken(id)).every((token) => token.startsWith('##'))).toBe(true);
    expect(goOn).toContain(tokenizer.tokenToId('##w'));
  });

  it('refuses a tokenizer without a mask', async () => {
    const tokenizer = await trainBpe(['low lower lowest'], { vocabSize: 300 });
    expect(() => maskedVocabulary(tokenizer)).toThrow(
      'the tokenizer has no mask token; one of a masked language model is needed',
    );
  });
});

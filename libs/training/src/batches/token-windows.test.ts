import { describe, expect, it } from 'vitest';
import { documentSource, streamSource, type WindowBatch } from './token-windows.ts';

function rowsOf({ ids, targets }: WindowBatch): { ids: number[]; targets: number[] }[] {
  const [rows, time] = ids.shape as [number, number];
  return Array.from({ length: rows }, (_, row) => ({
    ids: Array.from(ids.data.subarray(row * time, (row + 1) * time)),
    targets: Array.from(targets.data.subarray(row * time, (row + 1) * time)),
  }));
}

describe('windows of a stream', () => {
  /** Every token is its own position; 14 windows of 7 fit, and 2 tokens are left. */
  const stream = Int32Array.from({ length: 101 }, (_, i) => i);
  const time = 7;

  it('are stretches of it, with the token after each as its target', () => {
    for (const { ids, targets } of rowsOf(streamSource(stream, 1).batch(5, 4, time))) {
      expect(ids).toEqual(Array.from({ length: time }, (_, i) => ids[0]! + i));
      expect(targets).toEqual(ids.map((id) => id + 1));
    }
  });

  it('cover the stream once an epoch without overlap, each time in another order', () => {
    const source = streamSource(stream, 2);
    const epochs = [0, 1, 2].map((epoch) =>
      Array.from({ length: 7 }, (_, step) => rowsOf(source.batch(7 * epoch + step, 2, time)))
        .flat()
        .map(({ ids }) => ids[0]!),
    );
    for (const starts of epochs) {
      const sorted = [...starts].sort((a, b) => a - b);
      expect(sorted).toEqual(Array.from({ length: 14 }, (_, i) => sorted[0]! + i * time));
      expect(sorted[0]).toBeLessThanOrEqual(2);
      expect(starts).not.toEqual(sorted);
    }
    expect(new Set(epochs.map(String)).size).toBe(3);
  });

  it('depend on the seed and the number of the batch alone', () => {
    const source = streamSource(stream, 3);
    const ninth = source.batch(9, 3, time);
    source.batch(2, 3, time);
    expect(source.batch(9, 3, time)).toEqual(ninth);
    expect(streamSource(stream, 3).batch(9, 3, time)).toEqual(ninth);
    expect(streamSource(stream, 4).batch(9, 3, time)).not.toEqual(ninth);
  });

  it('are the same when a batch is made in parts', () => {
    const source = streamSource(stream, 5);
    const parts = [0, 1, 2].flatMap((i) => rowsOf(source.batch(4 * 3 + i, 2, time)));
    expect(parts).toEqual(rowsOf(source.batch(4, 6, time)));
  });

  it('need a stream that is longer than one', () => {
    expect(() => streamSource(stream.subarray(0, 7), 1).batch(0, 1, 7)).toThrow(
      'the corpus has 7 tokens; a row of 7 needs at least 8',
    );
    expect(rowsOf(streamSource(stream.subarray(0, 8), 1).batch(0, 1, 7))[0]!.ids).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

describe('rows of documents', () => {
  /** Documents of one to five equal tokens from 1 to 9; 0 parts them. */
  const source = documentSource((random) => new Array<number>(random.integer(1, 5)).fill(random.integer(1, 9)), 0, 7);

  it('begin with the separator and are parted by it, each shifted by one for the targets', () => {
    for (const { ids, targets } of rowsOf(source.batch(0, 8, 40))) {
      expect(ids[0]).toBe(0);
      expect(targets.slice(0, -1)).toEqual(ids.slice(1));
      const documents = ids.join(',').split(',0,');
      expect(documents.length).toBeGreaterThan(5);
      for (const document of documents.slice(1)) expect(new Set(document.split(',')).size).toBe(1);
    }
  });

  it('depend on the seed and their number alone, whether a batch is made whole or in parts', () => {
    const whole = rowsOf(source.batch(6, 4, 30));
    expect(rowsOf(source.batch(6, 4, 30))).toEqual(whole);
    expect([0, 1].flatMap((i) => rowsOf(source.batch(12 + i, 2, 30)))).toEqual(whole);
    expect(new Set(whole.map(({ ids }) => String(ids))).size).toBe(4);
    expect(rowsOf(source.batch(7, 4, 30))).not.toEqual(whole);
  });
});

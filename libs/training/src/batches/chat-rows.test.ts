import { describe, expect, it } from 'vitest';
import { tinyChats } from '../testing/tiny-stages.ts';
import { finiteChats, generatedChats, type TokenizedChat } from './chat-rows.ts';
import type { PredictionBatch } from './prediction.ts';

/** The conversations that lie in a batch, in its order, and the tokens after which something is to be predicted. */
function read({ ids, segments, positions, at, targets, weights }: PredictionBatch) {
  const time = ids.shape[1]!;
  const chats: number[][] = [];
  ids.data.forEach((id, i) => {
    if (segments.data[i] === 0) return;
    if (positions.data[i] === 0) chats.push([]);
    expect(positions.data[i]).toBe(chats.at(-1)!.length);
    if (positions.data[i] !== 0) expect(segments.data[i]).toBe(segments.data[i - 1]);
    else if (i % time !== 0) expect(segments.data[i]).toBe(segments.data[i - 1]! + 1);
    chats.at(-1)!.push(id);
  });
  const learned = Array.from(at.data, (place, n) => ({ place, id: targets.data[n]!, weight: weights.data[n]! }));
  return { chats, learned: learned.filter(({ weight }) => weight > 0) };
}

/** Conversation n is tokens n·100, n·100 + 1, …; the answer begins in the middle. */
function numbered(lengths: readonly number[]): TokenizedChat[] {
  return lengths.map((length, n) => ({
    ids: Array.from({ length }, (_, i) => n * 100 + i),
    answerMask: Array.from({ length }, (_, i) => i >= Math.floor(length / 2)),
  }));
}

const chats = numbered([10, 7, 12, 5, 9, 11, 6]);
const byFirst = new Map(chats.map((chat) => [chat.ids[0]!, chat]));

describe('a batch of conversations', () => {
  it('holds whole conversations and learns all of their answers and nothing else', () => {
    const batch = finiteChats(chats, { seed: 1, pad: -1 }).batch(0, 2, 30);
    const { chats: placed, learned } = read(batch);
    expect(placed.length).toBeGreaterThan(2);
    for (const ids of placed) expect(ids).toEqual(byFirst.get(ids[0]!)!.ids);
    const answers = placed.flatMap((ids) => ids.filter((_, i) => byFirst.get(ids[0]!)!.answerMask[i]));
    expect(learned.map(({ id }) => id)).toEqual(answers);
    // Each is predicted after the token before it; the n-th of an answer weighs 1/√n.
    const relative = (id: number): number =>
      1 / Math.sqrt(1 + (id % 100) - chats[Math.floor(id / 100)]!.answerMask.indexOf(true));
    const whole = answers.reduce((sum, id) => sum + relative(id), 0);
    for (const { place, id, weight } of learned) {
      expect(batch.ids.data[place]).toBe(id - 1);
      expect(weight).toBeCloseTo(relative(id) / whole, 6);
    }
  });

  it('learns the token that ends the answer', () => {
    const [chat] = tinyChats(1);
    const { learned } = read(finiteChats([chat!], { seed: 1, pad: 0 }).batch(0, 1, chat!.ids.length));
    expect(learned.at(-1)!.id).toBe(chat!.ids.at(-1));
  });

  it('depends on the seed and its number alone', () => {
    const source = finiteChats(chats, { seed: 2, pad: -1 });
    const fifth = source.batch(5, 2, 20);
    source.batch(1, 2, 20);
    source.batch(8, 2, 20);
    expect(source.batch(5, 2, 20)).toEqual(fifth);
    expect(finiteChats(chats, { seed: 2, pad: -1 }).batch(5, 2, 20)).toEqual(fifth);
    const made = generatedChats((random) => random.pick(chats), { seed: 3, pad: -1 });
    const third = made.batch(3, 2, 20);
    made.batch(4, 2, 20);
    expect(made.batch(3, 2, 20)).toEqual(third);
    expect(made.batch(4, 2, 20)).not.toEqual(third);
  });

  it('goes on where the last one ended: every epoch has each conversation once, in another order', () => {
    const source = finiteChats(chats, { seed: 4, pad: -1 });
    const order: number[] = [];
    for (let n = 0; order.length < 5 * chats.length; n++)
      order.push(...read(source.batch(n, 2, 24)).chats.map((ids) => ids[0]! / 100));
    const epochs = [0, 1, 2, 3, 4].map((epoch) => order.slice(epoch * chats.length, (epoch + 1) * chats.length));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(new Set(epochs.map(String)).size).toBeGreaterThan(3);
  });

  it('cuts what is longer than a row: the beginning first, then the end of the answer', () => {
    const only = (questions: number, answers: number): number[] => {
      const ids = Array.from({ length: questions + answers }, (_, i) => i);
      const chat = { ids, answerMask: ids.map((i) => i >= questions) };
      return read(finiteChats([chat], { seed: 1, pad: -1 }).batch(0, 1, 8)).chats[0]!;
    };
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    expect(only(10, 3)).toEqual(range(5, 13));
    // A quarter of the row stays for the question.
    expect(only(10, 20)).toEqual(range(8, 16));
    expect(only(1, 20)).toEqual(range(0, 8));
  });

  it('needs at least one conversation', () => {
    expect(() => finiteChats([], { seed: 1, pad: 0 })).toThrow('instructions: there is no conversation to learn from');
  });
});

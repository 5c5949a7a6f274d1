import { describe, expect, it } from 'vitest';
import { isHeldOut, splitByHash } from './split-by-hash.ts';

const record = (prompt: string, response = '') => ({
  messages: [{ role: 'user', content: prompt }] as const,
  response,
});
const records = Array.from({ length: 4000 }, (_, i) => record(`question ${i}`, `answer ${i}`));

describe('splitByHash', () => {
  it('holds out about the fraction, in the order of the records', () => {
    const { train, heldout } = splitByHash(records, 0.1);
    expect(heldout.length).toBeGreaterThan(350);
    expect(heldout.length).toBeLessThan(450);
    expect([...train, ...heldout].sort((a, b) => records.indexOf(a) - records.indexOf(b))).toEqual(records);
    expect(records.filter((one) => isHeldOut(one, 0.1))).toEqual(heldout);
  });

  it('puts a prompt on the same side whatever the order, the answer and the other rows', () => {
    const { heldout } = splitByHash(records, 0.1);
    const again = splitByHash(
      records
        .slice(1000)
        .toReversed()
        .map(({ messages }) => ({ messages, response: 'other' })),
      0.1,
    );
    const prompts = new Set(heldout.map(({ messages }) => messages[0].content));
    expect(again.heldout.length).toBeGreaterThan(200);
    for (const { messages } of again.heldout) expect(prompts.has(messages[0].content)).toBe(true);
    for (const { messages } of again.train) expect(prompts.has(messages[0].content)).toBe(false);
  });

  it('keeps what a smaller fraction holds out', () => {
    const small = splitByHash(records, 0.05).heldout;
    const large = new Set(splitByHash(records, 0.2).heldout);
    expect(small.every((one) => large.has(one))).toBe(true);
  });

  it('tells prompts apart that only differ in their roles', () => {
    const sides = Array.from({ length: 200 }, (_, i) => {
      const content = `text ${i}`;
      return [
        isHeldOut({ messages: [{ role: 'user', content }] }, 0.5),
        isHeldOut({ messages: [{ role: 'system', content }] }, 0.5),
      ];
    });
    expect(sides.some(([a, b]) => a !== b)).toBe(true);
  });

  it('refuses fractions that leave a side empty', () => {
    for (const fraction of [0, 1, -0.1, NaN]) {
      expect(() => splitByHash([], fraction)).toThrow(`fraction: ${fraction} is not above 0 and below 1`);
    }
  });
});

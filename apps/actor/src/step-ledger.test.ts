import { describe, expect, it } from 'vitest';
import type { Step, StepBody } from '@crucible/prompting';
import { StepLedger } from './step-ledger.ts';

function steps(...bodies: readonly (StepBody & { readonly sample?: readonly number[] })[]): Step[] {
  return bodies.map((body, i) => ({ ...body, number: i + 1, elapsedMs: i, strategy: 'react' }));
}

const prompt = (call: number, content: string): StepBody => ({
  kind: 'prompt',
  call,
  purpose: 'turn',
  messages: [{ role: 'user', content }],
  maxTokens: 9,
});
const completion = (call: number, text: string): StepBody => ({
  kind: 'completion',
  call,
  answer: 0,
  text,
  finish: 'stop',
});
const piece = (call: number, text: string): StepBody => ({ kind: 'text', call, answer: 0, text });
const thought: StepBody = { kind: 'thought', step: 1, text: 'so' };

function taken(ledger: StepLedger, given: readonly Step[]) {
  return given.flatMap((step) => {
    const told = ledger.take(step, 1000);
    return told ? [[told.number, told.kind, 'call' in told ? told.call : 0]] : [];
  });
}

describe('the ledger of a run', () => {
  it('numbers the steps of a run that begins', () => {
    const run = steps(prompt(1, 'a'), piece(1, 'x'), completion(1, 'x'), thought);
    expect(taken(new StepLedger(), run)).toEqual([
      [1, 'prompt', 1],
      [2, 'text', 1],
      [3, 'completion', 1],
      [4, 'thought', 0],
    ]);
  });

  it('does not tell again what was told, though it comes with other numbers, and numbers on from what was seen', () => {
    const [asked, text, answered, thinks] = steps(prompt(1, 'a'), piece(1, 'x'), completion(1, 'x'), thought);
    const ledger = new StepLedger([asked!, answered!], 7);
    expect(
      taken(ledger, [asked!, { ...text!, number: 9 }, answered!, thinks!, ...steps(thought, prompt(2, 'b'))]),
    ).toEqual([
      [8, 'thought', 0],
      // The same thing said twice is two steps.
      [9, 'thought', 0],
      [10, 'prompt', 2],
    ]);
  });

  it('knows calls that come in another order', () => {
    const told = steps(prompt(1, 'a'), prompt(2, 'b'), completion(2, 'y'));
    const again = steps(
      prompt(1, 'b'),
      piece(1, 'y'),
      completion(1, 'y'),
      prompt(2, 'a'),
      piece(2, 'x'),
      prompt(3, 'c'),
    );
    expect(taken(new StepLedger(told), again)).toEqual([
      [4, 'text', 1],
      [5, 'prompt', 3],
    ]);
  });
});

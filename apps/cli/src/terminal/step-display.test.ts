import { Writable } from 'node:stream';
import type { StepBody } from '@crucible/prompting';
import { describe, expect, it } from 'vitest';
import { StepDisplay } from './step-display.ts';

function stream(isTTY: boolean) {
  let text = '';
  const writable = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  return { writable: Object.assign(writable, { isTTY }) as unknown as NodeJS.WriteStream, text: () => text };
}

/** What stands on standard output and standard error in the end. */
function shown(
  bodies: readonly (StepBody & { readonly sample?: readonly number[] })[],
  { isTTY = false, prompts = false } = {},
) {
  const [out, trace] = [stream(isTTY), stream(false)];
  const display = new StepDisplay(out.writable, trace.writable, { prompts });
  for (const [i, body] of bodies.entries()) display.show({ ...body, number: i + 1, elapsedMs: 1500, strategy: 'x' });
  return { out: out.text(), trace: trace.text() };
}

const prompt = {
  kind: 'prompt',
  call: 1,
  purpose: 'answer',
  messages: [{ role: 'user', content: 'Who?' }],
  maxTokens: 9,
} as const;
const text = (part: string) => ({ kind: 'text', call: 1, answer: 0, text: part }) as const;
const completion = (whole: string) =>
  ({ kind: 'completion', call: 1, answer: 0, text: whole, finish: 'stop' }) as const;
const answer = (whole: string) => ({ kind: 'answer', partial: false, status: 'answered', text: whole }) as const;

describe('the trace for people', () => {
  const steps = [prompt, text('It is '), text('me.'), completion('It is me.'), answer('It is me.')];

  it('has the text as it comes, and the answer whole for a program', () => {
    expect(shown(steps)).toEqual({ out: 'It is me.\n', trace: 'asks    answer (1 message)\nIt is me.\n' });
  });

  it('has the answer once on a terminal, as it comes', () => {
    expect(shown(steps, { isTTY: true })).toEqual({ out: 'It is me.\n', trace: 'asks    answer (1 message)\n' });
    // Another answer than what was written stands beside it.
    expect(shown([...steps.slice(0, 4), answer('me')], { isTTY: true }).out).toBe('It is me.\nme\n');
  });

  it('shows prompts where they are asked for', () => {
    expect(shown([prompt], { prompts: true }).trace).toBe('asks    answer\nuser    Who?\n');
  });

  it('says where pictures are', () => {
    const pictures = [{ id: '0af1', width: 1280, height: 720, bytes: 9 }];
    expect(shown([{ kind: 'observation', step: 1, text: 'Opened.', omitted: 0, failed: false, pictures }]).trace).toBe(
      'sees    Opened.\nsees    picture 0af1 (1280 by 720, in the home under actor/pictures)\n',
    );
  });

  it('does not mix what is written at the same time', () => {
    const sample = (index: number, call: number, say: string) =>
      [
        { ...prompt, call, sample: [index] },
        { ...text(say), call, sample: [index] },
        { ...completion(say), call, sample: [index] },
      ] as const;
    const [one, other] = [sample(0, 1, 'five'), sample(1, 2, 'six')];
    const { trace } = shown([
      one[0],
      other[0],
      one[1],
      other[1],
      other[2],
      one[2],
      {
        kind: 'vote',
        votes: [
          { key: '6', count: 1 },
          { key: '5', count: 1 },
        ],
        invalid: 1,
        tied: true,
      },
    ]);
    expect(trace).toBe(
      '#1 asks answer (1 message)\n#2 asks answer (1 message)\n#2 says six\n#1 says five\nvotes   1 for 6, 1 for 5; 1 without an answer; tied\n',
    );
  });

  it('names passages with their place, and what is wrong with citations', () => {
    const passage = { document: { id: 'a.md', title: 'A' }, text: 'One\ntwo.', start: 3, end: 11, score: 1 };
    const { out, trace } = shown([
      { kind: 'passages', query: 'q', passages: [passage] },
      { kind: 'passages', query: 'q', passages: [] },
      { ...answer('five [1]'), citations: [{ number: 1, passage, supported: false }] },
      { kind: 'end', reason: 'steps', usage: { calls: 1, promptTokens: 3, completionTokens: 4, estimated: true } },
    ]);
    expect(out).toBe('five [1]\n');
    expect(trace).toBe(
      '[1]     A (a.md, 3 to 11): One two.\nfinds   nothing\n[1]     a.md, 3 to 11 (does not have these words)\nends    1 call, about 3 + 4 tokens, 1.5 s; ended by: steps\n',
    );
  });

  it('says what programs do, on lines of their own, and nothing that a terminal would obey', () => {
    const { trace } = shown([
      { kind: 'program', attempt: 1, program: 'a = 1\nprint(a)' },
      { kind: 'program-result', attempt: 1, ended: 'failed', stdout: '', stderr: 'Error \u001b]0;title\u0007\u202ex' },
    ]);
    expect(trace).toBe('runs    a = 1\n        print(a)\ngets    failed: Error \ufffd]0;title\ufffd\ufffdx\n');
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Tool } from '@crucible/prompting';
import { type ApprovalAnswer, type ApprovalOptions, type ApprovalRequest, withApproval } from './approval.ts';

const { signal } = new AbortController();

function setUp(ask: ApprovalOptions['ask'], options: Partial<ApprovalOptions> = {}) {
  const runs: unknown[] = [];
  const tool: Tool = {
    name: 'pay',
    description: 'pays somebody',
    parameters: { type: 'object' },
    run: (input) => {
      runs.push(input);
      return Promise.resolve({ text: 'paid' });
    },
  };
  return { runs, guarded: withApproval(tool, { ask, ...options }) };
}

describe('withApproval()', () => {
  it('runs after a yes to this call, with what was shown', async () => {
    const requests: ApprovalRequest[] = [];
    const { runs, guarded } = setUp((request) => {
      requests.push(request);
      return Promise.resolve({ approved: true });
    });
    expect(guarded).toMatchObject({ name: 'pay', description: 'pays somebody', parameters: { type: 'object' } });
    expect(await guarded.run({ to: 'Ada', amount: 3 }, { signal })).toEqual({ text: 'paid' });
    await guarded.run({ to: 'Ada', amount: 3 }, { signal });
    expect(requests[0]).toMatchObject({ tool: 'pay', description: 'pays somebody', input: { to: 'Ada', amount: 3 } });
    expect(new Set(requests.map(({ id }) => id)).size).toBe(2);
    expect(runs).toEqual([
      { to: 'Ada', amount: 3 },
      { to: 'Ada', amount: 3 },
    ]);
  });

  it.each([
    ['a no', () => Promise.resolve({ approved: false }), 'pay was not run: the user refused it; do not try it again'],
    [
      'a no with a reason',
      () => Promise.resolve({ approved: false, reason: 'too much' }),
      'pay was not run: the user refused it: too much',
    ],
    ['nothing', () => Promise.resolve(undefined), 'pay was not run: the user refused it; do not try it again'],
    ['a text', () => Promise.resolve('yes'), 'pay was not run: the user refused it; do not try it again'],
    ['true', () => Promise.resolve(true), 'pay was not run: the user refused it; do not try it again'],
    ['a 1', () => Promise.resolve({ approved: 1 }), 'pay was not run: the user refused it; do not try it again'],
    ['a failure', () => Promise.reject(new Error('stream broke')), 'pay was not run: it could not be asked for'],
    [
      'a throw',
      () => {
        throw new Error('no stream');
      },
      'pay was not run: it could not be asked for',
    ],
    ['silence', () => new Promise(() => undefined), 'pay was not run: nobody allowed it within 0.05 s'],
    ['a late yes', () => sleep(150, { approved: true }), 'pay was not run: nobody allowed it within 0.05 s'],
  ])('does not run after %s', async (_name, ask, message) => {
    const { runs, guarded } = setUp(ask as unknown as () => Promise<ApprovalAnswer>, { timeout: 50 });
    await expect(guarded.run({}, { signal })).rejects.toMatchObject({ code: 'permission-denied', message });
    await sleep(200);
    expect(runs).toEqual([]);
  });

  it('does not run once it is cancelled, whatever is answered then', async () => {
    const controller = new AbortController();
    let asked: AbortSignal | undefined;
    const { runs, guarded } = setUp((_request, options) => {
      asked = options.signal;
      return sleep(100, { approved: true });
    });
    const waiting = guarded.run({}, { signal: controller.signal });
    await sleep(10);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(asked?.aborted).toBe(true);
    await sleep(150);
    expect(runs).toEqual([]);
    let times = 0;
    const other = setUp(() => {
      times++;
      return Promise.resolve({ approved: true });
    });
    await expect(other.guarded.run({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect([times, other.runs]).toEqual([0, []]);
  });

  it('runs with what was agreed on, though it was changed meanwhile', async () => {
    const input = { to: { name: 'Ada' } };
    const { runs, guarded } = setUp(async (request) => {
      input.to.name = 'Mallory';
      expect(() => ((request.input['to'] as { name: string }).name = 'Mallory')).toThrow();
      await sleep(10);
      return { approved: true };
    });
    await guarded.run(input, { signal });
    expect(runs).toEqual([{ to: { name: 'Ada' } }]);
  });

  it('asks again under the same id when a run is resumed', async () => {
    const ids: string[] = [];
    const answers = new Map([['run-1/pay/3', true]]);
    const { guarded, runs } = setUp(
      ({ id }) => {
        ids.push(id);
        return Promise.resolve(answers.get(id) === true ? { approved: true } : { approved: false });
      },
      { createId: (tool, input) => `run-1/${tool}/${String(input['amount'])}` },
    );
    await guarded.run({ amount: 3 }, { signal });
    await expect(guarded.run({ amount: 4 }, { signal })).rejects.toMatchObject({ code: 'permission-denied' });
    expect(ids).toEqual(['run-1/pay/3', 'run-1/pay/4']);
    expect(runs).toEqual([{ amount: 3 }]);
  });
});

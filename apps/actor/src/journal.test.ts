import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordingLogger } from '@crucible/service/testing';
import { temporaryFolder } from '@crucible/testing';
import { type Entry, Journal, readJournal, type Start } from './journal.ts';
import { RunStore, stateOf } from './run-store.ts';

const start = (runId: string): Start => ({
  kind: 'start',
  runId,
  spec: { strategy: 'direct', question: 'Wer? 🙂' },
  model: 'chat',
  modelVersion: 2,
});
const began = (callId: string): Entry => ({ kind: 'began', callId });
const at = expect.any(Number) as number;

function written(): string {
  const path = join(temporaryFolder(), 'run.jsonl');
  const { journal } = Journal.create(path, start('r'));
  journal.append(began('ä\n1'));
  journal.append(began('2'), { lasting: true });
  journal[Symbol.dispose]();
  return path;
}

describe('a journal', () => {
  it('has what was written, and goes on', () => {
    const path = written();
    const { journal, entries } = Journal.open(path);
    expect(entries).toEqual([
      { at, ...start('r') },
      { at, ...began('ä\n1') },
      { at, ...began('2') },
    ]);
    journal.append(began('3'));
    journal[Symbol.dispose]();
    expect(readJournal(path).entries).toHaveLength(4);
    expect(readJournal(path).bytes).toBe(readFileSync(path).length);
  });

  it('loses a line that was cut short, wherever it was cut, and nothing else', () => {
    const path = written();
    const whole = readFileSync(path);
    const [, second] = [...whole.toString('latin1').matchAll(/\n/g)].map(({ index }) => index + 1);
    for (let bytes = second!; bytes < whole.length; bytes += 7) {
      writeFileSync(path, whole);
      truncateSync(path, bytes);
      expect(readJournal(path).entries).toHaveLength(2);
      const { journal } = Journal.open(path);
      journal.append(began('again'));
      journal[Symbol.dispose]();
      expect(readJournal(path).entries.at(-1)).toEqual({ at, ...began('again') });
    }
    writeFileSync(path, whole);
    appendFileSync(path, 'garbage without an end');
    expect(readJournal(path).entries).toHaveLength(3);
  });

  it('says where it is damaged', () => {
    const path = written();
    const whole = readFileSync(path);
    const first = whole.indexOf(0x0a) + 1;
    const flipped = Buffer.from(whole);
    flipped[first + 20]! ^= 1;
    writeFileSync(path, flipped);
    expect(() => readJournal(path)).toThrow(
      expect.objectContaining({ code: 'data-loss', message: `${path}: damaged at byte ${first}` }) as Error,
    );
    writeFileSync(path, '');
    expect(() => readJournal(path)).toThrow(expect.objectContaining({ code: 'data-loss' }) as Error);
  });
});

describe('the runs that are kept', () => {
  const { log } = recordingLogger();
  const end: Entry = {
    kind: 'step',
    step: {
      kind: 'end',
      number: 5,
      elapsedMs: 1,
      strategy: 'direct',
      reason: 'finished',
      usage: { calls: 1, promptTokens: 1, completionTokens: 1, estimated: false },
    },
  };
  const asked: Entry = {
    kind: 'asked',
    callId: 'c',
    tool: 'pay',
    description: '',
    input: {},
    expiresAt: Date.now() + 60_000,
  };

  it('are there after a restart, with their states; a damaged one harms no other', () => {
    const folder = temporaryFolder();
    const store = new RunStore(folder, log);
    const states: readonly (readonly [string, readonly Entry[]])[] = [
      ['ended', [asked, end]],
      ['waiting', [asked]],
      ['interrupted', [asked, { kind: 'decided', callId: 'c', approved: true, reason: '', expired: false }]],
    ];
    for (const [runId, entries] of states) {
      using run = store.create(start(runId));
      for (const entry of entries) run.append(entry);
      expect(() => store.create(start(runId))).toThrow(expect.objectContaining({ code: 'conflict' }) as Error);
      expect(() => store.open(runId)).toThrow(expect.objectContaining({ code: 'conflict' }) as Error);
    }
    writeFileSync(join(folder, 'runs', 'broken.jsonl'), 'x\ny\n');
    const again = new RunStore(folder, log);
    expect(again.list().map((record) => [record.runId, stateOf(record)])).toEqual(
      [
        ['waiting', 'waiting'],
        ['interrupted', 'interrupted'],
        ['ended', 'ended'],
      ].sort(
        (a, b) =>
          store.list().findIndex(({ runId }) => runId === a[0]) - store.list().findIndex(({ runId }) => runId === b[0]),
      ),
    );
    expect(again.get('ended')).toMatchObject({ model: 'chat', modelVersion: 2, lastStep: 5, question: 'Wer? 🙂' });
    using run = again.open('waiting');
    expect(run.entries).toHaveLength(2);
    // What is written after the end of the work is not.
    run[Symbol.dispose]();
    run.append(end);
    expect(stateOf(again.get('waiting'))).toBe('waiting');
  });

  it('are so many, and so large; those that have ended go first, those that wait last', () => {
    const store = new RunStore(temporaryFolder(), log, { mostRuns: 3 });
    for (const [runId, entries] of [
      ['w', [asked]],
      ['i', []],
      ['e1', [end]],
      ['e2', [end]],
      ['e3', [end]],
    ] as const) {
      using run = store.create(start(runId));
      for (const entry of entries) run.append(entry);
    }
    expect(
      store
        .list()
        .map(({ runId }) => runId)
        .sort(),
    ).toEqual(['e3', 'i', 'w']);
    const open = [store.create(start('o1')), store.create(start('o2'))];
    expect(
      store
        .list()
        .map(({ runId }) => runId)
        .sort(),
    ).toEqual(['o1', 'o2', 'w']);
    for (const run of open) run[Symbol.dispose]();
    const small = new RunStore(temporaryFolder(), log, { mostBytes: 3000 });
    for (let i = 0; i < 30; i++) {
      using run = small.create(start(`r${i}`));
      run.append(end);
    }
    expect(small.list().length).toBeGreaterThan(2);
    expect(small.list().reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(3000);
  });
});

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { expect, it } from 'vitest';
import type { Trial } from './evaluate-strategies.ts';
import { TrialFile } from './trial-file.ts';

const trial: Trial = {
  task: 'lookup',
  strategy: 'rag',
  question: 3,
  right: true,
  status: 'answered',
  ended: 'finished',
  answer: 'wool [1]',
  tokens: 70,
  calls: 1,
  seconds: 0.25,
};

it('keeps every trial, and drops what was being written when its writer died', () => {
  const path = join(temporaryFolder(), 'results', 'trials.jsonl');
  const file = new TrialFile(path, { model: 'm' });
  expect(file.trials).toEqual([]);
  file.add(trial);
  file.add({ ...trial, question: 4, answer: 'Grüße\u2028' });
  appendFileSync(path, '{"task":"lookup","answer":"ü');
  const again = new TrialFile(path, { model: 'm' });
  expect(again.trials).toEqual([trial, { ...trial, question: 4, answer: 'Grüße\u2028' }]);
  again.add({ ...trial, question: 5 });
  expect(new TrialFile(path, { model: 'm' }).trials.map(({ question }) => question)).toEqual([3, 4, 5]);
  expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(5);
});

it('refuses the file of another measurement, and what is none', () => {
  const path = join(temporaryFolder(), 'trials.jsonl');
  new TrialFile(path, { model: 'm', seed: 1 });
  expect(() => new TrialFile(path, { model: 'm', seed: 2 })).toThrow(
    `${path}:1: it holds other results: {"about":{"model":"m","seed":1}}; these would be {"about":{"model":"m","seed":2}}. Name another file`,
  );
  appendFileSync(path, '{"task":"lookup"}\n');
  expect(() => new TrialFile(path, { model: 'm', seed: 1 })).toThrow(`${path}:2: is no trial: {"task":"lookup"}`);
  writeFileSync(path, 'precious');
  expect(() => new TrialFile(path, {})).toThrow(`${path}:1: it holds other results: nothing; these would be`);
  expect(readFileSync(path, 'utf8')).toBe('precious');
});

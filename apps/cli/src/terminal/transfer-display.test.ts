import { expect, it } from 'vitest';
import { lineOf } from './transfer-display.ts';

it('shows how much is here, how fast it comes, and how long it takes yet', () => {
  const transfer = { path: 'model.safetensors', received: 30e6, total: 120e6 };
  expect(lineOf(transfer, 0, 10, 120)).toBe(
    '█████░░░░░░░░░░░░░░░  25 %  30.0MB of 120.0MB  3.0MB/s 0:30 left  model.safetensors',
  );
});

it('counts what an earlier try had brought as here, and not as fast', () => {
  const transfer = { path: 'model.safetensors', received: 90e6, total: 120e6 };
  expect(lineOf(transfer, 60e6, 10, 120)).toContain('75 %  90.0MB of 120.0MB  3.0MB/s 0:10 left');
});

it('leaves out the name where the terminal has no room for it', () => {
  const transfer = { path: 'model.safetensors', received: 120e6, total: 120e6 };
  expect(lineOf(transfer, 0, 10, 60)).toBe('████████████████████ 100 %  120.0MB of 120.0MB  12.0MB/s');
});

it('says that nothing is all of nothing', () => {
  expect(lineOf({ path: 'a', received: 0, total: 0 }, 0, 0, 80)).toContain('100 %  0B of 0B');
});

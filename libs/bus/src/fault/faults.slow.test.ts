import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { requireNatsServer } from '@crucible/testing';
import { killPublishers } from './kill-publishers.ts';
import { killWhilePublishing } from './kill-while-publishing.ts';

const spotless = { lost: [], unexpected: [], repeated: [] };

requireNatsServer('the bus over NATS, over many kills', () => {
  it('loses no acknowledged event and repeats none', { timeout: 300_000 }, async () => {
    const { verdict } = await killWhilePublishing({ kills: 20, lanes: 8 });
    expect(verdict).toMatchObject(spotless);
  });
});

it('the embedded bus loses no acknowledged event over many kills', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-bus-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  expect(await killPublishers(folder, 40)).toMatchObject(spotless);
});

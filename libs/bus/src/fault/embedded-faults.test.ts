import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus } from '../bus.ts';
import { createEmbeddedBus } from '../embedded/embedded-bus.ts';
import { progress, submitted } from '../sample-events.ts';
import { killPublishers } from './kill-publishers.ts';
import { RunningProgram } from './run-process.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'crucible-bus-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A worker on the folder that was killed with the job in its hands. */
async function killWorkerAtWork(): Promise<string> {
  const took = Promise.withResolvers<string>();
  const worker = new RunningProgram('worker-process.ts', [`embedded:${folder}`, '60000'], took.resolve);
  const line = await took.promise;
  await worker.kill();
  return line;
}

describe('the embedded bus, when things break', () => {
  it('has every acknowledged event after its process was killed while publishing', async () => {
    const verdict = await killPublishers(folder, 3);
    expect(verdict).toMatchObject({ lost: [], unexpected: [], repeated: [] });
    expect(verdict.counts.acknowledged).toBeGreaterThan(30);
  });

  it('hands out the job of a killed process at once, and counts the attempts that killed', async () => {
    const bus = await createEmbeddedBus({ folder });
    await bus.publish(submitted('poison'));
    await bus.close();
    expect(await killWorkerAtWork()).toBe('took poison 1');
    expect(await killWorkerAtWork()).toBe('took poison 2');

    await using again = await createEmbeddedBus({ folder });
    const received: string[] = [];
    await again.consume('jobs', { maxDeliver: 2 }, ({ event }) => void received.push(event.id));
    await again.publish(submitted('good'));
    await expect.poll(() => received).toEqual(['good']);
    expect(await again.deadLetters()).toMatchObject([
      { event: { id: 'poison' }, attempts: 3, reason: 'not settled in 2 deliveries' },
    ]);
  });

  it('serves one process at a time, names the holder, and is free when that is killed', async () => {
    const ready = Promise.withResolvers<string>();
    const holder = new RunningProgram('publisher-process.ts', [`embedded:${folder}`, 'a'], ready.resolve);
    await ready.promise;
    await expect(createEmbeddedBus({ folder })).rejects.toMatchObject({
      code: 'conflict',
      at: folder,
      message: expect.stringMatching(
        `^${folder}: process ${holder.pid} on .+ \\(since .+\\) has this bus; a folder serves one process at a time`,
      ) as string,
    });
    await holder.kill();
    await (await createEmbeddedBus({ folder })).close();
  });

  it('refuses a second bus on its folder in the same process, until the first is closed', async () => {
    const bus = await createEmbeddedBus({ folder });
    await expect(createEmbeddedBus({ folder })).rejects.toMatchObject({ code: 'conflict' });
    await bus.publish(progress('a', 1));
    await bus.close();
    await (await createEmbeddedBus({ folder })).close();
  });

  it('names the damaged file and leaves the folder free', async () => {
    const bus = await createEmbeddedBus({ folder });
    for (let step = 0; step < 3; step++) await bus.publish(progress('a', step));
    await bus.close();
    const file = join(folder, 'events-0000000001.log');
    const intact = readFileSync(file);
    writeFileSync(file, Buffer.from(intact).fill(0, 40, 60));
    await expect(createEmbeddedBus({ folder })).rejects.toMatchObject({ code: 'data-loss', at: `${file}:0` });
    writeFileSync(file, intact);
    appendFileSync(file, 'torn');
    await using again = await createEmbeddedBus({ folder });
    await expect(again.publish(progress('a', 3))).resolves.toEqual({ sequence: 4, duplicate: false });
  });

  it('passes over a record that goes bad while it runs, and says so', async () => {
    await using bus = await createEmbeddedBus({ folder });
    for (const step of [1, 2, 3]) await bus.publish(progress('a', step));
    const file = join(folder, 'events-0000000001.log');
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('"a-2"') + 1]! ^= 1;
    writeFileSync(file, bytes);
    const received: string[] = [];
    await bus.subscribe('crucible.>', { from: 'all', durable: 'reader' }, ({ event }) => void received.push(event.id));
    await expect.poll(() => received).toEqual(['a-1', 'a-3']);
    expect(await bus.deadLetters()).toMatchObject([
      { sequence: 2, reason: expect.stringMatching(/the record at byte \d+ of \d+ is damaged/) as string },
    ]);
  });

  it('numbers new events above those that were moved away with their file', async () => {
    const bus = await createEmbeddedBus({ folder });
    const subscribe = (on: Bus, into: number[]): Promise<unknown> =>
      on.subscribe(
        'crucible.job.progress',
        { durable: 'reader', from: 'all' },
        ({ sequence }) => void into.push(sequence),
      );
    const before: number[] = [];
    await subscribe(bus, before);
    for (const step of [1, 2, 3]) await bus.publish(progress('a', step));
    await expect.poll(() => before).toEqual([1, 2, 3]);
    await bus.close();
    rmSync(join(folder, 'events-0000000001.log'));

    await using again = await createEmbeddedBus({ folder });
    const after: number[] = [];
    await subscribe(again, after);
    await again.publish(progress('a', 4));
    await expect.poll(() => after).toEqual([4]);
  });

  it('says when its folder cannot be made', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(createEmbeddedBus({ folder: join(file, 'bus') })).rejects.toMatchObject({
      at: join(file, 'bus'),
      message: expect.stringMatching(`^${join(file, 'bus')}: cannot be locked: ENOTDIR`) as string,
    });
  });

  it('removes what is too much, and never work that is not done', async () => {
    const bus = await createEmbeddedBus({ folder, maxBytes: 20_000, segmentBytes: 2000 });
    await bus.publish(submitted('old job'));
    for (let step = 0; step < 200; step++) await bus.publish(progress('a', step));
    const bytes = (): number =>
      readdirSync(folder)
        .filter((name) => name.startsWith('events-'))
        .reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0);
    expect(bytes()).toBeLessThan(24_000);
    await bus.close();

    await using again = await createEmbeddedBus({ folder, maxBytes: 20_000, segmentBytes: 2000 });
    const steps: number[] = [];
    await again.subscribe('crucible.job.progress', { from: 'all' }, ({ event }) => void steps.push(event.data.step));
    await expect.poll(() => steps.at(-1)).toBe(199);
    expect(steps.length).toBeLessThan(100);
    const jobs: string[] = [];
    await again.consume('jobs', {}, ({ event }) => void jobs.push(event.id));
    await expect.poll(() => jobs).toEqual(['old job']);
    for (let step = 200; step < 220; step++) await again.publish(progress('a', step));
    expect(readdirSync(folder)).not.toContain('events-0000000001.log');
  });
});

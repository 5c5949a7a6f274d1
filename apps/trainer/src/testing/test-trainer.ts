/** A real trainer for tests, with a client and everything that its bus has said. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { onTestFinished } from 'vitest';
import { type Bus, type BusEvent, createBus } from '@crucible/bus';
import { type JobEvent, type JobSpecSchema, TrainerService } from '@crucible/protos/trainer/v1';
import { type Client, createClient } from '@crucible/rpc';
import { createLogger, type Service } from '@crucible/service';
import { createTrainerService } from '../trainer-service.ts';

export interface TestTrainer {
  readonly service: Service;
  readonly client: Client<typeof TrainerService>;
}

/** A bus of its own, in memory unless a folder is given, and all events in the order they came. */
export async function openBus(folder = ''): Promise<{ readonly bus: Bus; readonly events: BusEvent[] }> {
  const bus = await createBus(`embedded:${folder}`);
  onTestFinished(() => bus.close());
  const events: BusEvent[] = [];
  await bus.subscribe('crucible.>', {}, ({ event }) => void events.push(event));
  return { bus, events };
}

export async function startTrainer(bus: Bus, home: string): Promise<TestTrainer> {
  const service = await createTrainerService({
    bus,
    home,
    log: createLogger('trainer', 'silent'),
    host: '127.0.0.1',
    port: 0,
  });
  const client = createClient(TrainerService, service.target, { deadlineMs: 60_000 });
  onTestFinished(async () => {
    client.close();
    await service.close(1000);
  });
  return { service, client };
}

/** Model A of 15,000 parameters from a page of text: seconds, or as long as `steps` says. */
export function pretrainSpec(home: string, steps = 4): MessageInitShape<typeof JobSpecSchema> {
  const value = { name: 'base', preset: 'smoke', seed: 1, corpusUris: [corpusIn(home)], options: { steps } };
  return { kind: { case: 'pretrain', value } };
}

export function corpusIn(home: string): string {
  const path = join(home, 'corpus.txt');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    Array.from({ length: 200 }, (_, i) => `Line ${i} says that ${i * 7} is seven times ${i}.\n`).join(''),
  );
  return path;
}

/** Events of a job up to the first that `isIt`; to the end without it. */
export async function watchUntil(
  client: TestTrainer['client'],
  jobId: string,
  isIt: (event: JobEvent['event']) => boolean = () => false,
): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const { event } of client.watchJob({ jobId })) {
    events.push(event!);
    if (isIt(event!.event)) break;
  }
  return events;
}

/** Resolves when `isSo`; the test's own deadline bounds it. */
export async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(20);
}

/** Process ids of this process's children that run a training job. */
export function workerPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => parentOf(pid) === process.pid && readProc(pid, 'cmdline').includes('training-worker'));
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(readProc(pid, 'status'))?.[1]);
}

/** Empty when the process is gone meanwhile. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/**
 * The streams on JetStream, and who uses which subject. docs/events.md and docs/asyncapi.yaml say the same for readers
 * in other languages.
 *
 * Facts and work are kept apart. CRUCIBLE_EVENTS keeps every event by age and size, whoever has read it. CRUCIBLE_WORK
 * keeps what nobody has done yet, until it is done, and refuses more when it is full: a flood of facts never pushes out
 * a job. An event that feeds a queue is published to both, as a fact first.
 */
import { DiscardPolicy, JetStreamApiCodes, JetStreamApiError, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { CrucibleError } from '@crucible/foundation';
import type { DeadLetter } from '../bus.ts';
import type { QueueName } from '../catalogue.ts';
import { duplicateWindow } from '../transport.ts';
import type { ResolvedNatsBusOptions } from './options.ts';

export const eventStream = 'CRUCIBLE_EVENTS';
export const workStream = 'CRUCIBLE_WORK';
export const deadLetterStream = 'CRUCIBLE_DEAD_LETTERS';

export function workSubject(queue: QueueName): string {
  return `crucible-work.${queue}`;
}

export function deadLetterSubject({ kind, name }: DeadLetter['from']): string {
  return `crucible-dead.${kind}.${name}`;
}

const day = 86_400_000;

/** The streams as they are made where they are missing. */
export function streamConfigs({ replicas, maxAge, maxBytes, maxWorkBytes }: ResolvedNatsBusOptions['streams']) {
  const common = {
    storage: StorageType.File,
    num_replicas: replicas ?? 1,
    duplicate_window: nanos(duplicateWindow),
  };
  return [
    {
      ...common,
      name: eventStream,
      description: 'Crucible: everything that happened',
      subjects: ['crucible.>'],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(maxAge ?? 7 * day),
      max_bytes: maxBytes ?? 2 ** 30,
    },
    {
      ...common,
      name: workStream,
      description: 'Crucible: work that is not done yet',
      subjects: ['crucible-work.>'],
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      max_age: 0,
      max_bytes: maxWorkBytes ?? 2 ** 28,
    },
    {
      ...common,
      name: deadLetterStream,
      description: 'Crucible: events that were given up',
      subjects: ['crucible-dead.>'],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(30 * day),
      max_bytes: 2 ** 26,
    },
  ] satisfies Partial<StreamConfig>[];
}

/** Makes the streams that are missing, and changes on the others what the options ask for. */
export async function ensureStreams(jsm: JetStreamManager, options: ResolvedNatsBusOptions['streams']): Promise<void> {
  for (const config of streamConfigs(options)) {
    const existing = await findStream(jsm, config.name);
    if (existing === undefined) await addStream(jsm, config);
    else await updateStream(jsm, existing, config, options);
  }
}

type WantedConfig = ReturnType<typeof streamConfigs>[number];

async function findStream(jsm: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(name);
  } catch (reason) {
    if (reason instanceof JetStreamApiError && reason.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw reason;
  }
}

async function addStream(jsm: JetStreamManager, config: WantedConfig): Promise<void> {
  try {
    await jsm.streams.add(config);
  } catch (reason) {
    // Another process may have made it at the same moment.
    if ((await findStream(jsm, config.name)) === undefined) throw reason;
  }
}

async function updateStream(
  jsm: JetStreamManager,
  { config: existing }: StreamInfo,
  wanted: WantedConfig,
  { replicas, maxAge, maxBytes, maxWorkBytes }: ResolvedNatsBusOptions['streams'],
): Promise<void> {
  const { name, retention, subjects } = wanted;
  if (existing.retention !== retention || existing.storage !== wanted.storage)
    throw new CrucibleError(
      'failed-precondition',
      `stream ${name} has retention ${existing.retention} and storage ${existing.storage}, not ${retention} and ` +
        `${wanted.storage}; that cannot be changed: remove it, or use another NATS account`,
      { at: name },
    );
  const asked: Partial<StreamConfig> = { subjects };
  if (replicas !== undefined) asked.num_replicas = replicas;
  if (name === eventStream && maxAge !== undefined) asked.max_age = wanted.max_age;
  if (name === eventStream && maxBytes !== undefined) asked.max_bytes = wanted.max_bytes;
  if (name === workStream && maxWorkBytes !== undefined) asked.max_bytes = wanted.max_bytes;
  const isDifferent = Object.entries(asked).some(
    ([key, value]) => JSON.stringify(existing[key as keyof StreamConfig]) !== JSON.stringify(value),
  );
  if (isDifferent) await jsm.streams.update(name, asked);
}

/**
 * The catalogue as an AsyncAPI document, for readers in other languages: docs/asyncapi.yaml. Write it again with
 * `node libs/bus/src/asyncapi/write.ts`; a test fails where the file says anything else than the code.
 *
 * The NATS binding of AsyncAPI knows nothing of JetStream, so streams and consumers stand in `x-jetstream`.
 */
import { millis } from '@nats-io/transport-node';
import { z } from 'zod';
import { eventData, eventTypes, queueNames, queues } from '../catalogue.ts';
import type { EventType } from '../catalogue.ts';
import { maxDataBytes } from '../event.ts';
import { deadLetterStream, eventStream, streamConfigs, workStream, workSubject } from '../nats/streams.ts';

type Json = Record<string, unknown>;

const string = (description: string, rest: Json = {}): Json => ({ type: 'string', description, ...rest });

const cloudEventHeaders: Json = {
  type: 'object',
  description:
    'Attributes of CloudEvents 1.0 in binary mode. In values, space, ", % and all that is not printable ASCII is ' +
    'percent-encoded UTF-8. Structured mode (Content-Type: application/cloudevents+json) is read as well.',
  required: ['ce-specversion', 'ce-id', 'ce-source', 'ce-type'],
  properties: {
    'ce-specversion': { type: 'string', const: '1.0' },
    'ce-id': string('Unique among all events; handlers are idempotent by it.', { minLength: 1, maxLength: 200 }),
    'ce-source': string('Who says it: a URI reference.'),
    'ce-type': string('The type of the event; the subject of the message says the same.'),
    'ce-subject': string('What it is about within the source, for example the job.'),
    'ce-time': string('When it happened. Without it, the time when the server stored the message stands for it.', {
      format: 'date-time',
    }),
    'ce-datacontenttype': string('application/json, also where it is missing.'),
    'Nats-Msg-Id': string('The same as ce-id: within the duplicate window, the server stores an id once.'),
  },
};

const deadLetterHeaders: Json = {
  type: 'object',
  description:
    'The headers of the event, and why and by whom it was given up. Values are encoded as those of ce- headers.',
  required: ['time', 'kind', 'name', 'reason', 'attempts', 'sequence'].map((fact) => `crucible-dead-${fact}`),
  properties: {
    'crucible-dead-time': string('When it was given up.', { format: 'date-time' }),
    'crucible-dead-kind': { type: 'string', enum: ['queue', 'subscription'] },
    'crucible-dead-name': string('The queue, or the durable name of the subscription.'),
    'crucible-dead-reason': string('For a person.'),
    'crucible-dead-attempts': string('How often the event was delivered, in decimal digits.'),
    'crucible-dead-sequence': string('Its sequence in the stream that it came from, in decimal digits.'),
  },
};

export function asyncApiDocument(): Json {
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'Crucible events',
      version: '1.0.0',
      description:
        'What happens in Crucible, as CloudEvents 1.0 over NATS JetStream, and the queues of work to be done. ' +
        'docs/events.md is the guide. Types and fields are never renamed or removed; fields may be added.',
    },
    defaultContentType: 'application/json',
    servers: { nats: { host: 'localhost:4222', protocol: 'nats', description: 'NATS 2.9 or later with JetStream.' } },
    channels: Object.fromEntries([
      ...eventTypes.map(eventChannel),
      ...queueNames.map((queue) => [
        `${queue}Queue`,
        {
          address: workSubject(queue),
          description: `Work that is not done yet. Every ${queues[queue]} is published here as well as on its own subject.`,
          messages: { [nameOf(queues[queue])]: { $ref: `#/components/messages/${nameOf(queues[queue])}` } },
          'x-jetstream': {
            stream: workStream,
            consumer: { durable_name: queue, ack_policy: 'explicit', deliver_policy: 'all', max_deliver: -1 },
          },
        },
      ]),
      [
        'deadLetters',
        {
          address: 'crucible-dead.{kind}.{name}',
          description: 'What was given up. A message that was no event is here as JSON: subject, headers and body.',
          parameters: {
            kind: { enum: ['queue', 'subscription'] },
            name: { description: 'The queue, or the durable name of the subscription.' },
          },
          messages: { deadLetter: { $ref: '#/components/messages/deadLetter' } },
          'x-jetstream': { stream: deadLetterStream },
        },
      ],
    ]) as unknown,
    operations: Object.fromEntries([
      ...eventTypes.map((type) => [`send${capitalised(nameOf(type))}`, operation('send', nameOf(type))]),
      ...queueNames.map((queue) => [`work${capitalised(queue)}`, operation('receive', `${queue}Queue`)]),
      ['bury', operation('send', 'deadLetters')],
    ]) as unknown,
    components: {
      messages: {
        ...Object.fromEntries(eventTypes.map((type) => [nameOf(type), message(type)])),
        deadLetter: {
          name: 'deadLetter',
          summary: 'An event that was given up, as it was.',
          headers: { $ref: '#/components/schemas/deadLetterHeaders' },
          payload: {},
        },
      },
      schemas: { cloudEventHeaders, deadLetterHeaders },
    },
    'x-jetstream': { streams: streams(), maxDataBytes },
  };
}

function eventChannel(type: EventType): [string, Json] {
  const name = nameOf(type);
  return [
    name,
    {
      address: type,
      messages: { [name]: { $ref: `#/components/messages/${name}` } },
      'x-jetstream': { stream: eventStream },
    },
  ];
}

function operation(action: 'send' | 'receive', channel: string): Json {
  return { action, channel: { $ref: `#/channels/${channel}` } };
}

function message(type: EventType): Json {
  const { description, ...payload } = payloadSchema(type);
  return {
    name: type,
    summary: description,
    headers: { $ref: '#/components/schemas/cloudEventHeaders' },
    payload,
  };
}

/** The JSON Schema of an event's data, without what says nothing to other languages. */
function payloadSchema(type: EventType): Json {
  const schema = z.toJSONSchema(eventData[type], {
    // What comes in: unknown fields are allowed.
    io: 'input',
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      delete jsonSchema.propertyNames;
    },
  });
  delete schema.$schema;
  return schema;
}

/** The streams as they are made by default, times in ms. */
function streams(): Json[] {
  return streamConfigs({ replicas: undefined, maxAge: undefined, maxBytes: undefined, maxWorkBytes: undefined }).map(
    ({ max_age, duplicate_window, ...config }) => ({
      ...config,
      max_age_ms: millis(max_age),
      duplicate_window_ms: millis(duplicate_window),
    }),
  );
}

/** `crucible.job.submitted` as `jobSubmitted`. */
function nameOf(type: EventType): string {
  const [, family, what] = type.split('.');
  return `${family}${capitalised(what!)}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { eventTypes } from '../catalogue.ts';
import { asyncApiDocument } from './document.ts';

interface Described {
  channels: Record<string, { address: string; messages: Record<string, { $ref: string }> }>;
  operations: Record<string, { channel: { $ref: string } }>;
  components: { messages: Record<string, { name: string; payload: { required?: string[]; properties?: object } }> };
}

const file = parse(readFileSync(new URL('../../../../docs/asyncapi.yaml', import.meta.url), 'utf8')) as Described;

describe('docs/asyncapi.yaml', () => {
  it('says what the code says (if not: node libs/bus/src/asyncapi/write.ts)', () => {
    expect(file).toEqual(asyncApiDocument());
  });

  it('has a channel for every type, and for nothing else but queues and dead letters', () => {
    const addresses = Object.values(file.channels).map(({ address }) => address);
    expect(addresses.sort()).toEqual(
      [
        ...eventTypes,
        'crucible-work.jobs',
        'crucible-work.rollouts',
        'crucible-work.ingests',
        'crucible-dead.{kind}.{name}',
      ].sort(),
    );
  });

  it('refers to nothing that is missing, and leaves nothing unused', () => {
    const resolve = (ref: string): unknown =>
      ref
        .slice(2)
        .split('/')
        .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], file);
    const messages = Object.values(file.channels).flatMap((channel) => Object.values(channel.messages));
    const channels = Object.values(file.operations).map(({ channel }) => channel);
    for (const { $ref } of [...messages, ...channels]) expect(resolve($ref), $ref).toBeDefined();
    expect(new Set(messages.map(({ $ref }) => $ref.split('/').at(-1)))).toEqual(
      new Set(Object.keys(file.components.messages)),
    );
    expect(new Set(channels.map(({ $ref }) => $ref.split('/').at(-1)))).toEqual(new Set(Object.keys(file.channels)));
  });

  it('describes data as the catalogue checks it', () => {
    expect(file.components.messages['weightsPublished']).toEqual({
      name: 'crucible.weights.published',
      summary: 'A model has new weights, ready to be loaded.',
      headers: { $ref: '#/components/schemas/cloudEventHeaders' },
      payload: {
        type: 'object',
        required: ['model', 'version', 'uri', 'stage', 'step'],
        properties: {
          model: { type: 'string', minLength: 1, description: 'The name of the model in the registry.' },
          version: {
            type: 'integer',
            minimum: 1,
            description: 'The version of the model; versions of a name count up from 1.',
          },
          uri: {
            type: 'string',
            pattern: '^(file|s3):\\/\\/.',
            description: 'The checkpoint folder: file:// or s3://.',
          },
          stage: {
            type: 'string',
            minLength: 1,
            description: 'The training stage that made the weights: pretrain, sft, reward, ppo, import, …',
          },
          step: { type: 'integer', minimum: 0, description: 'The step of the stage after which they were taken.' },
          parent: {
            type: 'string',
            minLength: 1,
            description: 'The model that training began from, as name@version.',
          },
          sha256: {
            type: 'string',
            pattern: '^[0-9a-f]{64}$',
            description: 'Digest of the content, 64 lower-case hexadecimal digits.',
          },
        },
      },
    });
  });
});

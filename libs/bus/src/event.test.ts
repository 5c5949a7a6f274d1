import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Bus } from './bus.ts';
import { eventTypes, queueOf, typesFromPatterns } from './catalogue.ts';
import type { EventPattern, TypesOf } from './catalogue.ts';
import { createEvent, encodeData, maxDataBytes, parseEvent } from './event.ts';
import type { BusEvent } from './event.ts';
import { progress, submitted } from './sample-events.ts';

describe('createEvent', () => {
  it('makes up an id and takes the time', () => {
    const data = { documentId: 'd', collection: 'c' };
    const [first, second] = [1, 2].map(() => createEvent('crucible.document.deleted', { source: '/test', data }));
    expect(first).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      source: '/test',
      type: 'crucible.document.deleted',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      data,
    });
    expect(second!.id).not.toBe(first!.id);
  });
});

describe('parseEvent', () => {
  it('lets pass what may be added later, and drops other attributes', () => {
    const event = { ...submitted('j'), data: { ...submitted('j').data, later: true } };
    expect(parseEvent({ ...event, extension: 1 })).toEqual(event);
  });

  it('says what is wrong and where', () => {
    const event = progress('a', 1);
    for (const [wrong, at, message] of [
      [null, 'type', 'event type undefined: must be one of crucible.job.submitted, crucible.job.started, '],
      [{ ...event, type: 'toString' }, 'type', 'event type "toString": must be one of crucible.job.submitted'],
      [{ ...event, id: '' }, 'id', 'crucible.job.progress: id: Too small'],
      [{ ...event, id: 'x'.repeat(201) }, 'id', 'crucible.job.progress: id: Too big'],
      [{ ...event, source: 'a b' }, 'source', 'crucible.job.progress: source: must be a URI reference, without spaces'],
      [{ ...event, time: '2026-11-23' }, 'time', 'crucible.job.progress: time: must be a time as RFC 3339 writes it'],
      [{ ...event, data: { ...event.data, step: -1 } }, 'data.step', 'crucible.job.progress: data.step: Too small'],
      [
        createEvent('crucible.weights.published', {
          source: '/test',
          data: { model: 'm', version: 1, uri: '/models/m', stage: 'ppo', step: 1 },
        }),
        'data.uri',
        'crucible.weights.published: data.uri: must begin with file:// or s3://',
      ],
    ] as const) {
      expect(() => parseEvent(wrong)).toThrow(
        expect.objectContaining({ code: 'invalid-input', at, message: expect.stringContaining(message) as string }),
      );
    }
  });
});

describe('encodeData', () => {
  it('refuses what JSON cannot say, also where the catalogue says nothing', () => {
    const withSpec = (spec: Record<string, unknown>): BusEvent => {
      const event = submitted('j');
      return { ...event, data: { ...event.data, spec } };
    };
    expect(() => encodeData(withSpec({ rate: Infinity }))).toThrow(
      'crucible.job.submitted: data: rate is Infinity, which JSON cannot say',
    );
    expect(() => encodeData(withSpec({ rate: 1n }))).toThrow('crucible.job.submitted: data: ');
    const overhead = encodeData(withSpec({ text: '' })).byteLength;
    expect(encodeData(withSpec({ text: 'x'.repeat(maxDataBytes - overhead) }))).toHaveLength(maxDataBytes);
    expect(() => encodeData(withSpec({ text: 'x'.repeat(maxDataBytes - overhead + 1) }))).toThrow(
      'crucible.job.submitted: data is 1000001 bytes of JSON, at most 1000000 are allowed; publish the uri of a file instead',
    );
  });
});

describe('the catalogue', () => {
  it('has these types and queues: others read them', () => {
    expect(eventTypes).toEqual([
      'crucible.job.submitted',
      'crucible.job.started',
      'crucible.job.progress',
      'crucible.job.completed',
      'crucible.job.failed',
      'crucible.job.cancelled',
      'crucible.rollout.requested',
      'crucible.rollout.completed',
      'crucible.weights.published',
      'crucible.feedback.rated',
      'crucible.feedback.ranked',
      'crucible.ingest.requested',
      'crucible.document.ingested',
      'crucible.document.deleted',
      'crucible.program.executed',
      'crucible.agent.step',
    ]);
    expect(eventTypes.filter((type) => queueOf(type) !== undefined).map((type) => [type, queueOf(type)])).toEqual([
      ['crucible.job.submitted', 'jobs'],
      ['crucible.rollout.requested', 'rollouts'],
      ['crucible.ingest.requested', 'ingests'],
    ]);
  });

  it('knows what patterns stand for', () => {
    expect(typesFromPatterns(['crucible.feedback.*', 'crucible.agent.step', 'crucible.feedback.rated'])).toEqual([
      'crucible.feedback.rated',
      'crucible.feedback.ranked',
      'crucible.agent.step',
    ]);
    expect(typesFromPatterns(['crucible.>'])).toEqual(eventTypes);
    expect(typesFromPatterns(['crucible.>', 'crucible.*.step'])).toEqual([]);
    expect(typesFromPatterns([])).toEqual([]);
  });

  it('gives handlers the types that their patterns stand for', () => {
    expectTypeOf<TypesOf<'crucible.feedback.*'>>().toEqualTypeOf<
      'crucible.feedback.rated' | 'crucible.feedback.ranked'
    >();
    expectTypeOf<'crucible.planet.*'>().not.toExtend<EventPattern>();
    type Subscribe = Bus['subscribe'];
    const check = (subscribe: Subscribe): unknown =>
      subscribe(['crucible.document.*', 'crucible.agent.step'], {}, ({ event }) => {
        expectTypeOf(event.type).toEqualTypeOf<
          'crucible.document.ingested' | 'crucible.document.deleted' | 'crucible.agent.step'
        >();
        if (event.type === 'crucible.agent.step') expectTypeOf(event.data.content).toEqualTypeOf<string>();
      });
    expectTypeOf(check).toBeFunction();
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { headers as createHeaders, connect } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { requireNatsServer, startNatsServer } from '@crucible/testing';
import type { NatsServer, NatsServerOptions } from '@crucible/testing';
import type { Bus } from '../bus.ts';
import { describeBusContract } from '../bus.contract.ts';
import type { BusEvent } from '../event.ts';
import { progress, submitted } from '../sample-events.ts';
import { manageStreams } from './manage-streams.ts';
import { createNatsBus } from './nats-bus.ts';
import type { NatsBusOptions } from './options.ts';

async function start(options: NatsServerOptions = {}): Promise<NatsServer> {
  const server = await startNatsServer(options);
  onTestFinished(() => server.stop());
  return server;
}

async function open(servers: NatsBusOptions['servers'], options: Partial<NatsBusOptions> = {}): Promise<Bus> {
  const bus = await createNatsBus({ servers, drainDeadline: 1000, ...options });
  onTestFinished(() => bus.close());
  return bus;
}

/** What another program sends to the stream. */
async function sendRaw(url: string, subject: string, headers: Record<string, string>, body: string): Promise<void> {
  const connection = await connect({ servers: url });
  const messageHeaders = createHeaders();
  for (const [key, value] of Object.entries(headers)) messageHeaders.set(key, value);
  await jetstream(connection).publish(subject, body, { headers: messageHeaders });
  await connection.close();
}

requireNatsServer('createNatsBus', () => {
  describeBusContract('the bus over NATS JetStream', () => {
    let server: NatsServer | undefined;
    return {
      open: async () => {
        server ??= await startNatsServer();
        return createNatsBus({ servers: server.url, drainDeadline: 500 });
      },
      isKept: true,
      dispose: async () => server?.stop(),
    };
  });

  it('makes its streams as documented', async () => {
    const { url } = await start();
    await open(url);
    const streams = await manageStreams(url, async ({ streams: api }) =>
      (await api.list().next()).map(({ config }) => config),
    );
    const day = 86_400 * 1e9;
    const common = { storage: 'file', num_replicas: 1, duplicate_window: 120 * 1e9, max_msgs: -1 };
    expect(streams.sort((a, b) => a.name.localeCompare(b.name))).toMatchObject([
      {
        ...common,
        name: 'CRUCIBLE_DEAD_LETTERS',
        subjects: ['crucible-dead.>'],
        retention: 'limits',
        discard: 'old',
        max_age: 30 * day,
        max_bytes: 2 ** 26,
      },
      {
        ...common,
        name: 'CRUCIBLE_EVENTS',
        subjects: ['crucible.>'],
        retention: 'limits',
        discard: 'old',
        max_age: 7 * day,
        max_bytes: 2 ** 30,
      },
      {
        ...common,
        name: 'CRUCIBLE_WORK',
        subjects: ['crucible-work.>'],
        retention: 'workqueue',
        discard: 'new',
        max_age: 0,
        max_bytes: 2 ** 28,
      },
    ]);
  });

  it('changes on streams that are there what its options give, and nothing else', async () => {
    const { url } = await start();
    const limits = (): Promise<unknown> =>
      manageStreams(url, async ({ streams }) => {
        const { config } = await streams.info('CRUCIBLE_EVENTS');
        return { max_age: config.max_age, max_bytes: config.max_bytes };
      });
    await (await open(url)).close();
    await manageStreams(url, ({ streams }) => streams.update('CRUCIBLE_EVENTS', { max_age: 3600 * 1e9 }));
    await (await open(url)).close();
    expect(await limits()).toEqual({ max_age: 3600 * 1e9, max_bytes: 2 ** 30 });
    await (await open(url, { maxBytes: 2 ** 24 })).close();
    expect(await limits()).toEqual({ max_age: 3600 * 1e9, max_bytes: 2 ** 24 });
  });

  it('refuses a stream of its name that is of another kind', async () => {
    const { url } = await start();
    await manageStreams(url, ({ streams }) =>
      streams.add({ name: 'CRUCIBLE_WORK', subjects: ['elsewhere'], retention: 'limits' }),
    );
    await expect(open(url)).rejects.toMatchObject({
      code: 'failed-precondition',
      message:
        'stream CRUCIBLE_WORK has retention limits and storage file, not workqueue and file; that cannot be changed: ' +
        'remove it, or use another NATS account',
    });
  });

  it('refuses a server without JetStream', async () => {
    const { url } = await start({ jetstream: false });
    await expect(open(url)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: `${url}: the NATS server runs without JetStream; start it with -js or a jetstream block`,
    });
  });

  it('says who it is, by URL or by options, and is refused at once otherwise', async () => {
    const byPassword = await start({ config: 'authorization { user: "ada", password: "p@ss" }' });
    const host = `127.0.0.1:${byPassword.port}`;
    await (await open(`nats://ada:p%40ss@${host}`)).publish(progress('a', 1));
    await (await open(byPassword.url, { user: 'ada', pass: 'p@ss' })).publish(progress('a', 2));
    await expect(open(`nats://ada:wrong@${host}`)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringMatching(`^nats://${host}: Authorization Violation`) as string,
    });

    const byToken = await start({ config: 'authorization { token: "sesame" }' });
    await (await open(byToken.url, { token: 'sesame' })).publish(progress('a', 1));
    await (await open(`nats://sesame@127.0.0.1:${byToken.port}`)).publish(progress('a', 2));
    await expect(open(byToken.url)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('speaks TLS, checks the server, and shows its own certificate', async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'crucible-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    const files = ['-keyout', keyFile, '-out', certFile];
    const made = spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      ...subject,
      ...files,
    ]);
    if (made.status !== 0) skip('openssl is missing, which makes the certificate');
    const server = await start({
      config: `tls { cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${certFile}", verify: true }`,
    });
    const url = `tls://127.0.0.1:${server.port}`;
    const bus = await open(url, { tls: { caFile: certFile, certFile, keyFile } });
    await expect(bus.publish(progress('a', 1))).resolves.toEqual({ sequence: 1, duplicate: false });
    await expect(open(url)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining(`${url}: self-signed certificate`) as string,
    });
  });

  it('turns to another server of its list', async () => {
    const [first, second] = [await start(), await start()];
    await second.kill();
    const bus = await open([first.url, second.url]);
    await second.restart();
    await first.kill();
    await expect(bus.publish(progress('a', 1))).resolves.toEqual({ sequence: 1, duplicate: false });
  });

  it('refuses work when its queue is full, and facts go on', async () => {
    const { url } = await start();
    const bus = await open(url, { maxWorkBytes: 2 ** 20 });
    const large = (jobId: string): BusEvent<'crucible.job.submitted'> => {
      const event = submitted(jobId);
      return { ...event, data: { ...event.data, spec: { text: 'x'.repeat(600_000) } } };
    };
    await bus.publish(large('first'));
    await expect(bus.publish(large('second'))).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringContaining('publishing crucible-work.jobs second: ') as string,
    });
    await bus.publish(progress('a', 1));
    await bus.consume('jobs', {}, () => undefined);
    await expect
      .poll(() => bus.publish(large('second')).catch((reason: unknown) => reason))
      .toMatchObject({
        duplicate: true,
      });
  });

  it('writes binary CloudEvents, once as a fact and once as work', async () => {
    const { url } = await start();
    const bus = await open(url);
    const event = { ...submitted('job 1'), time: '2026-11-23T12:00:00.000Z' };
    await bus.publish(event);
    const messages = await manageStreams(url, async ({ streams }) => [
      await streams.getMessage('CRUCIBLE_EVENTS', { seq: 1 }),
      await streams.getMessage('CRUCIBLE_WORK', { seq: 1 }),
    ]);
    expect(messages.map((message) => message?.subject)).toEqual(['crucible.job.submitted', 'crucible-work.jobs']);
    for (const message of messages) {
      expect([...message!.header]).toEqual([
        ['ce-specversion', ['1.0']],
        ['ce-id', ['job%201']],
        ['ce-source', ['/test']],
        ['ce-type', ['crucible.job.submitted']],
        ['ce-subject', ['job%201']],
        ['ce-time', ['2026-11-23T12:00:00.000Z']],
        ['ce-datacontenttype', ['application/json']],
        ['Nats-Msg-Id', ['job%201']],
      ]);
      expect(message!.json()).toEqual(event.data);
    }
  });

  it('reads what others send: structured mode, and events without a time', async () => {
    const { url } = await start();
    const bus = await open(url);
    const received: BusEvent[] = [];
    await bus.subscribe('crucible.document.deleted', {}, ({ event }) => void received.push(event));
    const data = { documentId: 'd', collection: 'c', addedLater: true };
    const type = 'crucible.document.deleted';
    const attributes = { specversion: '1.0', id: 's', source: '/other', type, time: '2026-11-23T12:00:00Z' };
    await sendRaw(
      url,
      type,
      { 'Content-Type': 'application/cloudevents+json; charset=utf-8' },
      JSON.stringify({ ...attributes, datacontenttype: 'application/json', data, extension: 1 }),
    );
    await sendRaw(
      url,
      type,
      { 'Ce-Specversion': '1.0', 'Ce-Id': 'b', 'Ce-Source': '/other', 'Ce-Type': type },
      JSON.stringify(data),
    );
    await expect.poll(() => received).toHaveLength(2);
    expect(received).toEqual([
      { id: 's', source: '/other', type, time: '2026-11-23T12:00:00Z', data },
      { id: 'b', source: '/other', type, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string, data },
    ]);
  });

  it('passes over types that it does not know, and buries what is no event', async () => {
    const { url } = await start();
    const bus = await open(url);
    const received: string[] = [];
    await bus.subscribe('crucible.>', { durable: 'reader' }, ({ event }) => void received.push(event.id));
    await sendRaw(
      url,
      'crucible.planet.discovered',
      { 'ce-specversion': '1.0', 'ce-type': 'crucible.planet.discovered' },
      '{}',
    );
    await sendRaw(url, 'crucible.job.progress', {}, 'hello');
    await bus.publish(progress('a', 1));
    await expect.poll(() => received).toEqual(['a-1']);
    await bus.consume('jobs', {}, ({ event }) => void received.push(event.id));
    const wrongType = { 'ce-specversion': '1.0', 'ce-id': 'w', 'ce-source': '/x', 'ce-type': 'crucible.job.cancelled' };
    await sendRaw(url, 'crucible-work.jobs', wrongType, '{"jobId":"w","kind":"sft"}');
    await expect.poll(() => bus.deadLetters()).toHaveLength(2);
    expect(received).toEqual(['a-1']);
    expect(await bus.deadLetters()).toEqual([
      {
        time: expect.any(String) as string,
        from: { kind: 'queue', name: 'jobs' },
        reason: 'unreadable: type "crucible.job.cancelled" on subject crucible-work.jobs',
        attempts: 1,
        sequence: 1,
        event: undefined,
        raw: expect.stringContaining('"ce-id":"w"') as string,
      },
      {
        time: expect.any(String) as string,
        from: { kind: 'subscription', name: 'reader' },
        reason: 'unreadable: no CloudEvent of specversion 1.0',
        attempts: 1,
        sequence: 2,
        event: undefined,
        raw: '{"subject":"crucible.job.progress","headers":{},"body":"hello"}',
      },
    ]);
  });
});

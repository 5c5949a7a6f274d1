import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveSettings } from './settings.ts';

describe('settings', () => {
  test('have defaults for one machine', () => {
    expect(resolveSettings({})).toEqual({
      home: resolve('.crucible'),
      bus: `embedded:${resolve('.crucible/bus')}`,
      host: '127.0.0.1',
      device: 'cpu',
      precision: 'float32',
      ports: { gateway: 8080, policy: 7001, reward: 7002, trainer: 7003, retriever: 7004, sandbox: 7005, actor: 7006 },
      gateway: {
        keys: resolve('.crucible/keys'),
        withoutKeys: 'loopback',
        hosts: [],
        origins: [],
        console: undefined,
      },
      targets: {
        policy: '127.0.0.1:7001',
        retriever: '127.0.0.1:7004',
        sandbox: '127.0.0.1:7005',
        actor: '127.0.0.1:7006',
        trainer: undefined,
      },
      retriever: { store: resolve('.crucible/knowledge'), target: undefined },
      sandbox: { boundary: 'auto', target: undefined },
      actor: { target: undefined, config: undefined, runs: 64 },
      logLevel: 'info',
      cache: resolve(homedir(), '.cache/crucible'),
    });
  });

  test('come from the environment, of which other variables do not matter', () => {
    const settings = resolveSettings({
      CRUCIBLE_HOME: '/srv/crucible',
      CRUCIBLE_BUS: 'nats://nats:4222',
      CRUCIBLE_HOST: '0.0.0.0',
      CRUCIBLE_GATEWAY_PORT: '80',
      CRUCIBLE_GATEWAY_KEYS: '/etc/crucible/keys',
      CRUCIBLE_GATEWAY_WITHOUT_KEYS: 'anywhere',
      CRUCIBLE_GATEWAY_HOSTS: 'Chat.example, [fd00::1]',
      CRUCIBLE_GATEWAY_ORIGINS: 'https://chat.example,http://localhost:3000',
      CRUCIBLE_GATEWAY_CONSOLE: '/srv/console',
      CRUCIBLE_POLICY_PORT: '0',
      CRUCIBLE_REWARD_PORT: '65535',
      CRUCIBLE_TRAINER_PORT: '9',
      CRUCIBLE_POLICY_TARGET: 'dns:///policy:7001',
      CRUCIBLE_TRAINER_TARGET: 'unix:/run/trainer.sock',
      CRUCIBLE_DEVICE: 'auto',
      CRUCIBLE_PRECISION: 'float16',
      CRUCIBLE_SANDBOX_PORT: '8',
      CRUCIBLE_ACTOR_PORT: '6',
      CRUCIBLE_RETRIEVER_PORT: '7',
      CRUCIBLE_RETRIEVER_TARGET: 'retriever:7004',
      CRUCIBLE_RETRIEVER_STORE: 's3://bucket/knowledge',
      CRUCIBLE_SANDBOX_TARGET: 'sandbox:7005',
      CRUCIBLE_SANDBOX_BOUNDARY: 'pyodide',
      CRUCIBLE_ACTOR_TARGET: 'actor:7006',
      CRUCIBLE_ACTOR_CONFIG: '/etc/actor.json',
      CRUCIBLE_ACTOR_RUNS: '7',
      CRUCIBLE_LOG_LEVEL: 'debug',
      CRUCIBLE_CACHE: '/var/cache/programs',
      XDG_CACHE_HOME: '/var/other',
      PORT: 'none',
    });
    expect(settings).toEqual({
      home: '/srv/crucible',
      bus: 'nats://nats:4222',
      host: '0.0.0.0',
      device: 'auto',
      precision: 'float16',
      ports: { gateway: 80, policy: 0, reward: 65_535, trainer: 9, retriever: 7, sandbox: 8, actor: 6 },
      gateway: {
        keys: '/etc/crucible/keys',
        withoutKeys: 'anywhere',
        hosts: ['chat.example', '[fd00::1]'],
        origins: ['https://chat.example', 'http://localhost:3000'],
        console: '/srv/console',
      },
      targets: {
        policy: 'dns:///policy:7001',
        retriever: 'retriever:7004',
        sandbox: 'sandbox:7005',
        actor: 'actor:7006',
        trainer: 'unix:/run/trainer.sock',
      },
      retriever: { store: 's3://bucket/knowledge', target: 'retriever:7004' },
      sandbox: { boundary: 'pyodide', target: 'sandbox:7005' },
      actor: { target: 'actor:7006', config: '/etc/actor.json', runs: 7 },
      logLevel: 'debug',
      cache: '/var/cache/programs',
    });
  });

  test('of an empty variable are those of none', () => {
    expect(resolveSettings({ CRUCIBLE_HOME: '', CRUCIBLE_GATEWAY_PORT: '', CRUCIBLE_BUS: '' })).toEqual(
      resolveSettings({}),
    );
  });

  test('keep compiled programs among the caches of the user, or nowhere', () => {
    expect(resolveSettings({ XDG_CACHE_HOME: '/xdg' }).cache).toBe('/xdg/crucible');
    expect(resolveSettings({ XDG_CACHE_HOME: 'relative' }).cache).toBe(resolve(homedir(), '.cache/crucible'));
    expect(resolveSettings({ CRUCIBLE_CACHE: 'off' }).cache).toBeUndefined();
  });

  test('put the bus into the home', () => {
    expect(resolveSettings({ CRUCIBLE_HOME: '/srv' }).bus).toBe('embedded:/srv/bus');
  });

  test('find the policy where it listens, with an IPv6 address in brackets', () => {
    const at = (host: string): string =>
      resolveSettings({ CRUCIBLE_HOST: host, CRUCIBLE_POLICY_PORT: '71' }).targets.policy;
    expect(at('10.0.0.7')).toBe('10.0.0.7:71');
    expect(at('::1')).toBe('[::1]:71');
  });

  test.each(['nats://h', 'nats://a:4222,nats://b:4222', 'tls://h:1', 'embedded:', 'embedded:/srv/my bus'])(
    'take the bus %s',
    (bus) => expect(resolveSettings({ CRUCIBLE_BUS: bus }).bus).toBe(bus),
  );

  const aPort = 'a port is a whole number from 0 to 65535; 0 takes a free one';
  const aBus = 'a bus is nats://HOST:PORT, tls://HOST:PORT, embedded:FOLDER, or embedded: for one in memory';
  const someHosts = 'hosts are names or addresses without a port, with commas between them';
  const someOrigins = 'origins are as https://chat.example or http://localhost:3000, with commas between them';
  const aTarget = 'a target is HOST:PORT or unix:/PATH';
  test.each([
    ...['GATEWAY', 'POLICY', 'REWARD', 'TRAINER'].map((name) => [`CRUCIBLE_${name}_PORT`, 'http', aPort]),
    ['CRUCIBLE_DEVICE', 'gpu', 'a device is one of auto, cpu, webgpu, cuda'],
    ['CRUCIBLE_PRECISION', 'half', 'a precision is one of float32, float16, bfloat16'],
    ...['65536', '-1', '80.5', '0x50', '1e3', ' 80', 'true', '٨٠'].map((value) => [
      'CRUCIBLE_GATEWAY_PORT',
      value,
      aPort,
    ]),
    ...['kafka://h', 'nats://', 'localhost:4222', 'embedded://x'].map((value) => ['CRUCIBLE_BUS', value, aBus]),
    ...['policy', 'policy:', ':7001', 'policy:70010000'].map((value) => ['CRUCIBLE_POLICY_TARGET', value, aTarget]),
    ['CRUCIBLE_TRAINER_TARGET', 'trainer', aTarget],
    ...['0', '-1', '1.5', '100000', 'many'].map((value) => [
      'CRUCIBLE_ACTOR_RUNS',
      value,
      'a whole number from 1 to 99999 is allowed',
    ]),
    [
      'CRUCIBLE_GATEWAY_WITHOUT_KEYS',
      'yes',
      'where there are no keys, those may ask that reach it by loopback or from anywhere',
    ],
    ...['chat.example:80', 'http://a', 'a,,b'].map((value) => ['CRUCIBLE_GATEWAY_HOSTS', value, someHosts]),
    ...['chat.example', 'https://a/', '*', 'https://A'].map((value) => [
      'CRUCIBLE_GATEWAY_ORIGINS',
      value,
      someOrigins,
    ]),
    ['CRUCIBLE_LOG_LEVEL', 'loud', 'a log level is one of debug, info, warn, error, silent'],
    ['CRUCIBLE_LOG_LEVEL', 'INFO', 'a log level is one of debug, info, warn, error, silent'],
  ] as [string, string, string][])('refuse %s=%s and say what is allowed', (name, value, allowed) => {
    expect(() => resolveSettings({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'invalid-input', at: name, message: `${name}=${value}: ${allowed}` }),
    );
  });
});

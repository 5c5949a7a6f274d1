/** Settings of the services: read from the environment in one place, checked once. docs/configuration.md lists them. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import { targetFrom } from '@crucible/rpc';
import { z } from 'zod';

const text = z.string();
const port = text
  .refine((given) => /^\d{1,5}$/.test(given) && Number(given) <= 65_535, {
    error: 'a port is a whole number from 0 to 65535; 0 takes a free one',
  })
  .transform(Number);
const count = text
  .refine((given) => /^[1-9]\d{0,4}$/.test(given), { error: 'a whole number from 1 to 99999 is allowed' })
  .transform(Number);
const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
const level = z.enum(levels, { error: `a log level is one of ${levels.join(', ')}` });
const devices = ['auto', 'cpu', 'webgpu', 'cuda'] as const;
const device = z.enum(devices, { error: `a device is one of ${devices.join(', ')}` });
const precisions = ['float32', 'float16', 'bfloat16'] as const;
const precision = z.enum(precisions, { error: `a precision is one of ${precisions.join(', ')}` });
const boundaries = ['auto', 'bubblewrap', 'pyodide'] as const;
const boundary = z.enum(boundaries, { error: `a boundary is one of ${boundaries.join(', ')}` });
const bus = text.regex(/^(?:nats|tls):\/\/.|^embedded:(?!\/\/)/, {
  error: 'a bus is nats://HOST:PORT, tls://HOST:PORT, embedded:FOLDER, or embedded: for one in memory',
});
const withoutKeys = z.enum(['loopback', 'anywhere'], {
  error: 'where there are no keys, those may ask that reach it by loopback or from anywhere',
});
const list = text.transform((given) => given.split(',').map((each) => each.trim()));
const hosts = list.refine((names) => names.every((name) => /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/i.test(name)), {
  error: 'hosts are names or addresses without a port, with commas between them',
});
const origins = list.refine((all) => all.every((each) => /^https?:\/\//.test(each) && originOf(each) === each), {
  error: 'origins are as https://chat.example or http://localhost:3000, with commas between them',
});
const target = text.regex(/^(?:\S+:\d{1,5}|unix:\S+)$/, { error: 'a target is HOST:PORT or unix:/PATH' });

const schema = z.object({
  /** Where models, jobs and the embedded bus live. */
  CRUCIBLE_HOME: text.default('.crucible'),
  /** The bus: `nats://HOST:PORT` or `embedded:FOLDER`. Default: embedded, in the home. */
  CRUCIBLE_BUS: bus.optional(),
  /** The address that services listen at. */
  CRUCIBLE_HOST: text.default('127.0.0.1'),
  CRUCIBLE_GATEWAY_PORT: port.default(8080),
  /** Folder of the API keys. Default: in the home. */
  CRUCIBLE_GATEWAY_KEYS: text.optional(),
  /** Who may ask where there are no keys. */
  CRUCIBLE_GATEWAY_WITHOUT_KEYS: withoutKeys.default('loopback'),
  /** Names under which the gateway may be asked without keys, beside those of this machine. */
  CRUCIBLE_GATEWAY_HOSTS: hosts.default([]),
  /** Origins of pages that may ask the gateway. */
  CRUCIBLE_GATEWAY_ORIGINS: origins.default([]),
  /** Folder of the console's build. Default: that of this installation. */
  CRUCIBLE_GATEWAY_CONSOLE: text.optional(),
  CRUCIBLE_POLICY_PORT: port.default(7001),
  CRUCIBLE_REWARD_PORT: port.default(7002),
  CRUCIBLE_TRAINER_PORT: port.default(7003),
  CRUCIBLE_RETRIEVER_PORT: port.default(7004),
  CRUCIBLE_SANDBOX_PORT: port.default(7005),
  CRUCIBLE_ACTOR_PORT: port.default(7006),
  /** Where the gateway finds the policy. Default: the host and port above. */
  CRUCIBLE_POLICY_TARGET: target.optional(),
  /** The trainer that commands give their jobs to. Default: that of `crucible up`, or one of their own. */
  CRUCIBLE_TRAINER_TARGET: target.optional(),
  /** Where models answer and learn. */
  CRUCIBLE_DEVICE: device.default('cpu'),
  /** What matrix products of training are worked out in. */
  CRUCIBLE_PRECISION: precision.default('float32'),
  /** Where the gateway finds the retriever. Default: the host and port above. */
  CRUCIBLE_RETRIEVER_TARGET: target.optional(),
  /** Where the retriever keeps its collections: a folder or `s3://BUCKET/PREFIX`. Default: in the home. */
  CRUCIBLE_RETRIEVER_STORE: text.optional(),
  /** Where the gateway finds the sandbox. Default: the host and port above. */
  CRUCIBLE_SANDBOX_TARGET: target.optional(),
  /** What holds the programs that the sandbox runs. */
  CRUCIBLE_SANDBOX_BOUNDARY: boundary.default('auto'),
  /** Where the actor is found. Default: the host and port above. */
  CRUCIBLE_ACTOR_TARGET: target.optional(),
  /** What the operator sets up for the actor. Default: `actor.json` in the home, where there is one. */
  CRUCIBLE_ACTOR_CONFIG: text.optional(),
  /** Runs of the actor at a time. */
  CRUCIBLE_ACTOR_RUNS: count.default(64),
  CRUCIBLE_LOG_LEVEL: level.default('info'),
  /** Where compiled programs are kept; `off`: nowhere. Default: `crucible` in the user's folder of caches. */
  CRUCIBLE_CACHE: text.optional(),
});

export interface Settings {
  readonly home: string;
  readonly bus: string;
  readonly host: string;
  readonly ports: {
    readonly gateway: number;
    readonly policy: number;
    readonly reward: number;
    readonly trainer: number;
    readonly retriever: number;
    readonly sandbox: number;
    readonly actor: number;
  };
  readonly gateway: {
    /** Folder of the API keys. */
    readonly keys: string;
    readonly withoutKeys: z.infer<typeof withoutKeys>;
    readonly hosts: readonly string[];
    readonly origins: readonly string[];
    /** As it was given: a folder of the console's build. */
    readonly console: string | undefined;
  };
  readonly targets: {
    readonly policy: string;
    readonly retriever: string;
    readonly sandbox: string;
    readonly actor: string;
    readonly trainer: string | undefined;
  };
  readonly retriever: {
    /** Where the collections are. */
    readonly store: string;
    /** As it was given. */
    readonly target: string | undefined;
  };
  readonly sandbox: {
    readonly boundary: z.infer<typeof boundary>;
    /** As it was given, for commands: without it they look for a running `crucible up`. */
    readonly target: string | undefined;
  };
  readonly actor: {
    /** As it was given. */
    readonly target: string | undefined;
    /** The file as it was given. */
    readonly config: string | undefined;
    /** Runs at a time. */
    readonly runs: number;
  };
  readonly device: z.infer<typeof device>;
  readonly precision: z.infer<typeof precision>;
  readonly logLevel: z.infer<typeof level>;
  /** Folder of compiled programs; undefined: they are not kept. */
  readonly cache: string | undefined;
}

/** Resolves the settings; an empty variable counts as unset, and an invalid one is named with its value and what is allowed. */
export function resolveSettings(environment: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue!.path[0]);
    throw invalidInput(`${name}=${environment[name] ?? ''}: ${issue!.message}`, { at: name });
  }
  const env = parsed.data;
  const host = env.CRUCIBLE_HOST;
  const home = resolve(env.CRUCIBLE_HOME);
  return {
    home,
    bus: env.CRUCIBLE_BUS ?? `embedded:${join(home, 'bus')}`,
    host,
    ports: {
      gateway: env.CRUCIBLE_GATEWAY_PORT,
      policy: env.CRUCIBLE_POLICY_PORT,
      reward: env.CRUCIBLE_REWARD_PORT,
      trainer: env.CRUCIBLE_TRAINER_PORT,
      retriever: env.CRUCIBLE_RETRIEVER_PORT,
      sandbox: env.CRUCIBLE_SANDBOX_PORT,
      actor: env.CRUCIBLE_ACTOR_PORT,
    },
    gateway: {
      keys: resolve(env.CRUCIBLE_GATEWAY_KEYS ?? join(home, 'keys')),
      withoutKeys: env.CRUCIBLE_GATEWAY_WITHOUT_KEYS,
      hosts: env.CRUCIBLE_GATEWAY_HOSTS.map((name) => name.toLowerCase()),
      origins: env.CRUCIBLE_GATEWAY_ORIGINS,
      console: env.CRUCIBLE_GATEWAY_CONSOLE === undefined ? undefined : resolve(env.CRUCIBLE_GATEWAY_CONSOLE),
    },
    targets: {
      policy: env.CRUCIBLE_POLICY_TARGET ?? targetFrom(host, env.CRUCIBLE_POLICY_PORT),
      retriever: env.CRUCIBLE_RETRIEVER_TARGET ?? targetFrom(host, env.CRUCIBLE_RETRIEVER_PORT),
      sandbox: env.CRUCIBLE_SANDBOX_TARGET ?? targetFrom(host, env.CRUCIBLE_SANDBOX_PORT),
      actor: env.CRUCIBLE_ACTOR_TARGET ?? targetFrom(host, env.CRUCIBLE_ACTOR_PORT),
      trainer: env.CRUCIBLE_TRAINER_TARGET,
    },
    device: env.CRUCIBLE_DEVICE,
    precision: env.CRUCIBLE_PRECISION,
    retriever: {
      store: env.CRUCIBLE_RETRIEVER_STORE ?? join(home, 'knowledge'),
      target: env.CRUCIBLE_RETRIEVER_TARGET,
    },
    sandbox: { boundary: env.CRUCIBLE_SANDBOX_BOUNDARY, target: env.CRUCIBLE_SANDBOX_TARGET },
    actor: {
      target: env.CRUCIBLE_ACTOR_TARGET,
      config: env.CRUCIBLE_ACTOR_CONFIG,
      runs: env.CRUCIBLE_ACTOR_RUNS,
    },
    logLevel: env.CRUCIBLE_LOG_LEVEL,
    cache: env.CRUCIBLE_CACHE === 'off' ? undefined : resolve(env.CRUCIBLE_CACHE ?? join(cachesOf(given), 'crucible')),
  };
}

function originOf(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

/** The XDG base directory specification: a relative path counts as unset. */
function cachesOf({ XDG_CACHE_HOME: folder }: Readonly<Record<string, string | undefined>>): string {
  return folder !== undefined && isAbsolute(folder) ? folder : join(homedir(), '.cache');
}

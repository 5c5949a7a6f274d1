/** Settings of the services: read from the environment in one place, checked once. docs/configuration.md lists them. */
import { join, resolve } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const level = z.enum(['debug', 'info', 'warn', 'error', 'silent']);

const schema = z.object({
  /** Where models, jobs and the embedded bus live. */
  CRUCIBLE_HOME: z.string().min(1).default('.crucible'),
  /** The bus: `nats://HOST:PORT` or `embedded:FOLDER`. Default: embedded, in the home. */
  CRUCIBLE_BUS: z.string().optional(),
  /** The address that services listen at. */
  CRUCIBLE_HOST: z.string().min(1).default('127.0.0.1'),
  CRUCIBLE_GATEWAY_PORT: port.default(8080),
  CRUCIBLE_POLICY_PORT: port.default(7001),
  CRUCIBLE_REWARD_PORT: port.default(7002),
  CRUCIBLE_TRAINER_PORT: port.default(7003),
  /** Where the gateway finds the policy. Default: the host and port above. */
  CRUCIBLE_POLICY_TARGET: z.string().optional(),
  /** The trainer that commands give their jobs to. Default: that of `crucible up`, or one of their own. */
  CRUCIBLE_TRAINER_TARGET: z.string().optional(),
  CRUCIBLE_LOG_LEVEL: level.default('info'),
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
  };
  readonly targets: { readonly policy: string; readonly trainer: string | undefined };
  readonly logLevel: z.infer<typeof level>;
}

/** Resolves the settings; an invalid one is named with its value and what is allowed. */
export function resolveSettings(environment: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue!.path[0]);
    throw invalidInput(`${name}=${environment[name] ?? ''}: ${issue!.message}`, { at: name });
  }
  const env = parsed.data;
  const home = resolve(env.CRUCIBLE_HOME);
  return {
    home,
    bus: env.CRUCIBLE_BUS ?? `embedded:${join(home, 'bus')}`,
    host: env.CRUCIBLE_HOST,
    ports: {
      gateway: env.CRUCIBLE_GATEWAY_PORT,
      policy: env.CRUCIBLE_POLICY_PORT,
      reward: env.CRUCIBLE_REWARD_PORT,
      trainer: env.CRUCIBLE_TRAINER_PORT,
    },
    targets: {
      policy: env.CRUCIBLE_POLICY_TARGET ?? `${env.CRUCIBLE_HOST}:${env.CRUCIBLE_POLICY_PORT}`,
      trainer: env.CRUCIBLE_TRAINER_TARGET,
    },
    logLevel: env.CRUCIBLE_LOG_LEVEL,
  };
}

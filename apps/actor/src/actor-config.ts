/** What the operator sets up for the actor, in a file: models elsewhere, MCP servers, what people have to allow, the network. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { OpenAiModelOptions } from '@crucible/chat-models';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { McpServerSpec } from '@crucible/tools';

const text = z.string().min(1);
const texts = z.record(text, z.string());
const dayMs = 24 * 60 * 60_000;

const model = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }),
  /** As the server calls it. Default: the name that it has here. */
  model: text.optional(),
  key: text.optional(),
  contextTokens: z.int().min(1).optional(),
  wording: z.enum(['forged', 'general']).optional(),
  nativeTools: z.boolean().optional(),
  plainToolMessages: z.boolean().optional(),
  mostSamples: z.int().min(1).max(128).optional(),
  maxTokensField: z.enum(['max_tokens', 'max_completion_tokens']).optional(),
});

const mcpServer = z.union([
  z.strictObject({
    command: text,
    args: z.array(z.string()).default([]),
    env: texts.default({}),
    cwd: text.optional(),
  }),
  z.strictObject({ url: text, headers: texts.default({}) }),
]);

const schema = z.strictObject({
  models: z.record(text, model).default({}),
  mcpServers: z.record(text, mcpServer).default({}),
  /** Tools that somebody has to allow, call by call; `*` at the end stands for any rest. */
  approval: z.array(text).default([]),
  approvalTimeoutMs: z
    .int()
    .min(1000)
    .max(7 * dayMs)
    .default(600_000),
  network: z
    .strictObject({
      hosts: z.array(text).optional(),
      addresses: z.array(text).optional(),
      ports: z.array(z.int().min(1).max(65_535)).optional(),
    })
    .default({}),
});

export interface ActorConfig {
  readonly models: Readonly<Record<string, OpenAiModelOptions>>;
  readonly mcpServers: readonly McpServerSpec[];
  readonly approval: readonly string[];
  readonly approvalTimeoutMs: number;
  readonly network: {
    readonly hosts?: readonly string[];
    readonly addresses?: readonly string[];
    readonly ports?: readonly number[];
  };
}

/** The file that is given, or `actor.json` in the home where there is one; without either nothing is set up. */
export function readActorConfig(given: string | undefined, home: string): ActorConfig {
  const path = given ?? join(home, 'actor.json');
  if (given === undefined && !existsSync(path)) return parseActorConfig('{}', path);
  let json: string;
  try {
    json = readFileSync(path, 'utf8');
  } catch (reason) {
    const { code, message } = CrucibleError.from(reason);
    throw new CrucibleError(code, `CRUCIBLE_ACTOR_CONFIG=${path}: it cannot be read: ${message}`, {
      at: 'CRUCIBLE_ACTOR_CONFIG',
      cause: reason,
    });
  }
  return parseActorConfig(json, path);
}

/** `source` is named in errors. `${NAME}` in keys, headers and the environment of programs is that variable of ours. */
export function parseActorConfig(
  json: string,
  source: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ActorConfig {
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch (reason) {
    throw invalidInput(`${source}: is no JSON: ${(reason as Error).message}`, { at: source });
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalidInput(`${source}: ${issue!.path.join('.')}: ${issue!.message}`, { at: source });
  }
  const { models, mcpServers, approval, approvalTimeoutMs, network } = parsed.data;
  const filled = (value: string, at: string): string =>
    value.replaceAll(/\$\{(\w+)\}/g, (_whole, name: string) => {
      const found = environment[name];
      if (found === undefined || found === '')
        throw invalidInput(`${source}: ${at}: the variable ${name} is not set`, { at: source });
      return found;
    });
  const allFilled = (values: Readonly<Record<string, string>>, at: string): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, filled(value, `${at}.${name}`)]));
  return {
    models: Object.fromEntries(
      Object.entries(models).map(([name, { key, ...rest }]) => [
        name,
        {
          ...withoutUndefined(rest),
          model: rest.model ?? name,
          ...(key !== undefined && { key: filled(key, `models.${name}.key`) }),
        },
      ]),
    ),
    mcpServers: Object.entries(mcpServers).map(([name, server]): McpServerSpec => {
      const at = `mcpServers.${name}`;
      if (!/^[A-Za-z]\w{0,23}$/.test(name))
        throw invalidInput(`${source}: ${at}: a name is a letter and up to 23 letters, digits and "_"`, { at: source });
      return 'url' in server
        ? { name, url: server.url, headers: allFilled(server.headers, `${at}.headers`) }
        : {
            name,
            command: server.command,
            args: server.args,
            env: allFilled(server.env, `${at}.env`),
            ...(server.cwd !== undefined && { cwd: server.cwd }),
          };
    }),
    approval,
    approvalTimeoutMs,
    network: {
      ...(network.hosts && { hosts: network.hosts }),
      ...(network.addresses && { addresses: network.addresses }),
      ...(network.ports && { ports: network.ports }),
    },
  };
}

function withoutUndefined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

export function matchesName(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

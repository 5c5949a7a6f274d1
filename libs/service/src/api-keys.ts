/**
 * The keys of the HTTP API: a folder with a JSON file for each. Of a key itself only the SHA-256 is kept; since a key
 * has 256 random bits, nothing slower is needed. Files are added and removed whole, so that they need no lock, and a
 * gateway that runs sees what changed within half a second.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { z } from 'zod';

/** What a key may be for. `tools`: strategies that act or run programs, and the MCP server. */
export const keyScopes = ['chat', 'tools', 'knowledge', 'sandbox', 'jobs', 'metrics'] as const;

export type KeyScope = (typeof keyScopes)[number];

export interface KeyLimits {
  /** Undefined: no limit. */
  readonly requestsPerMinute: number | undefined;
  /** Of prompts and answers together. Undefined: no limit. */
  readonly tokensPerMinute: number | undefined;
  /** Answers, programs and runs of strategies at a time. Undefined: no limit. */
  readonly concurrentRuns: number | undefined;
}

export interface ApiKey extends KeyLimits {
  /** Of the file, and in logs. */
  readonly name: string;
  /** Another one for another key of the same name. */
  readonly id: string;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly scopes: readonly KeyScope[];
  readonly createdAt: Date;
  /** Undefined: never. */
  readonly expiresAt: Date | undefined;
}

export interface NewKey extends Partial<KeyLimits> {
  readonly name: string;
  /** Default: all. */
  readonly scopes?: readonly KeyScope[];
  readonly expiresAt?: Date | undefined;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const nameAllowed = '1 to 64 of the characters a-z, 0-9, `-`, `_` and `.`, the first a letter or digit,';
const prefix = 'crucible-';
const keyBytes = 32;
/** Of our own keys and, with room, of any that a person made; longer ones are not even hashed. */
const longestKey = 512;
/** Milliseconds between looks at the folder. */
const lookInterval = 500;

const limit = z.int().min(1).optional();
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const fileSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(keyScopes)),
  created_at: time,
  expires_at: time.optional(),
  requests_per_minute: limit,
  tokens_per_minute: limit,
  concurrent_runs: limit,
});

export class ApiKeys {
  readonly #folder: string;
  readonly #onDamage: (error: CrucibleError) => void;
  #known: readonly ApiKey[] = [];
  #seen = '';
  #lookedAt = -Infinity;

  /** The folder need not exist. `onDamage` is told of a file that is no key, which then opens nothing. */
  constructor(folder: string, onDamage: (error: CrucibleError) => void = () => undefined) {
    this.#folder = folder;
    this.#onDamage = onDamage;
  }

  /** By name. */
  list(): readonly ApiKey[] {
    const names = this.#names();
    const seen = JSON.stringify(
      names.map((name) => {
        const { mtimeMs, size, ino } = statSync(this.#path(name), { throwIfNoEntry: false }) ?? {};
        return [name, mtimeMs, size, ino];
      }),
    );
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#known = names.flatMap((name) => this.#read(name) ?? []);
    }
    return this.#known;
  }

  /** Whether there is a file, be it damaged. */
  get isEmpty(): boolean {
    return this.#names().length === 0;
  }

  /** The key that was shown, whatever its state. All are compared, in a time that says nothing of them. */
  find(shown: string): ApiKey | undefined {
    if (performance.now() - this.#lookedAt > lookInterval) {
      this.#lookedAt = performance.now();
      this.list();
    }
    if (shown === '' || shown.length > longestKey) return undefined;
    const digest = createHash('sha256').update(shown).digest();
    let found: ApiKey | undefined;
    for (const key of this.#known) if (timingSafeEqual(digest, Buffer.from(key.sha256, 'hex'))) found = key;
    return found;
  }

  /** Makes a key. Only what this returns has it in full. */
  add({ name, scopes = keyScopes, expiresAt, ...limits }: NewKey): string {
    assertName(name);
    if (scopes.length === 0) throw invalidInput(`scopes: at least one of ${keyScopes.join(', ')} is needed`);
    const key = prefix + randomBytes(keyBytes).toString('base64url');
    const file: z.input<typeof fileSchema> = {
      id: randomBytes(8).toString('hex'),
      sha256: createHash('sha256').update(key).digest('hex'),
      scopes: keyScopes.filter((scope) => scopes.includes(scope)),
      created_at: new Date().toISOString(),
      ...(expiresAt && { expires_at: expiresAt.toISOString() }),
      ...(limits.requestsPerMinute !== undefined && { requests_per_minute: limits.requestsPerMinute }),
      ...(limits.tokensPerMinute !== undefined && { tokens_per_minute: limits.tokensPerMinute }),
      ...(limits.concurrentRuns !== undefined && { concurrent_runs: limits.concurrentRuns }),
    };
    this.#create(name, `${JSON.stringify(file, null, 2)}\n`);
    return key;
  }

  revoke(name: string): void {
    assertName(name);
    if (!this.#names().includes(name)) {
      const names = this.#names();
      const known = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
      throw new CrucibleError('not-found', `key ${name} does not exist; ${known}`, { at: 'name' });
    }
    rmSync(this.#path(name), { force: true });
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((file) => file.endsWith('.json') && namePattern.test(file.slice(0, -'.json'.length)))
        .map((file) => file.slice(0, -'.json'.length))
        .sort();
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw reason;
    }
  }

  #read(name: string): ApiKey | undefined {
    const path = this.#path(name);
    try {
      const file = fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
      return {
        name,
        id: file.id,
        sha256: file.sha256,
        scopes: file.scopes,
        createdAt: file.created_at,
        expiresAt: file.expires_at,
        requestsPerMinute: file.requests_per_minute,
        tokensPerMinute: file.tokens_per_minute,
        concurrentRuns: file.concurrent_runs,
      };
    } catch (reason) {
      const { code } = reason as NodeJS.ErrnoException;
      // It was revoked meanwhile.
      if (code === 'ENOENT') return undefined;
      const why = reason instanceof z.ZodError ? firstIssue(reason) : (reason as Error).message;
      this.#onDamage(
        new CrucibleError('data-loss', `${path}: it is no key, and opens nothing: ${why}`, { cause: reason, at: path }),
      );
      return undefined;
    }
  }

  /** Puts a file there whole, unless there is one. */
  #create(name: string, content: string): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const path = this.#path(name);
    const temporary = join(this.#folder, `.${name}.tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      const descriptor = openSync(temporary, 'wx', 0o600);
      try {
        writeFileSync(descriptor, content);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      linkSync(temporary, path);
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code === 'EEXIST')
        throw new CrucibleError('conflict', `key ${name} exists; revoke it first, or take another name`, {
          at: 'name',
          cause: reason,
        });
      throw reason;
    } finally {
      rmSync(temporary, { force: true });
    }
  }
}

function assertName(name: string): void {
  if (!namePattern.test(name))
    throw invalidInput(`name: ${JSON.stringify(name)} is given; ${nameAllowed} is allowed`, { at: 'name' });
}

function firstIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `${issue!.path.map(String).join('.') || 'the file'}: ${issue!.message}`;
}

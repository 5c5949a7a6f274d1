import { Command, InvalidArgumentError } from 'commander';
import { ApiKeys, keyScopes, type KeyScope } from '@crucible/service';
import { note, print, printJson, settingsFor } from '../context.ts';
import { parseCount } from '../stage-options.ts';
import { minute, table } from '../terminal/format.ts';

interface AddOptions {
  readonly scopes?: readonly KeyScope[];
  readonly requests?: number;
  readonly tokens?: number;
  readonly runs?: number;
  readonly days?: number;
}

const dayMs = 86_400_000;

/** The keys of the HTTP API: files in a folder that a running gateway looks at. */
export function keysCommand(): Command {
  const keys = new Command('keys');
  keys
    .command('list', { isDefault: true })
    .description('list the keys, which are not shown themselves')
    .option('--json', 'print JSON')
    .action((options: { json?: true }, command: Command) => {
      const all = keysOf(command)
        .list()
        .map(({ name, scopes, createdAt, expiresAt, ...limits }) => ({
          name,
          scopes,
          created: createdAt.toISOString(),
          expires: expiresAt?.toISOString() ?? null,
          requests_per_minute: limits.requestsPerMinute ?? null,
          tokens_per_minute: limits.tokensPerMinute ?? null,
          concurrent_runs: limits.concurrentRuns ?? null,
        }));
      if (options.json) {
        printJson({ keys: all });
        return;
      }
      if (all.length === 0) {
        print('There are no keys: the API serves this machine alone.');
        return;
      }
      const rows = all.map(({ name, scopes, created, expires, ...limits }) => [
        name,
        scopes.join(' '),
        minute(created),
        expires === null ? 'never' : minute(expires),
        String(limits.requests_per_minute ?? ''),
        String(limits.tokens_per_minute ?? ''),
        String(limits.concurrent_runs ?? ''),
      ]);
      const head = ['NAME', 'SCOPES', 'CREATED', 'EXPIRES', 'REQUESTS/MIN', 'TOKENS/MIN', 'RUNS'];
      print(table([head, ...rows], { figures: false }));
    });
  keys
    .command('add <name>')
    .description('make a key, and print it this once')
    .option('--scopes <list>', `what it may be for: ${keyScopes.join(',')} (default: all)`, parseScopes)
    .option('--requests <number>', 'the most requests a minute', parseCount)
    .option('--tokens <number>', 'the most tokens of prompts and answers a minute', parseCount)
    .option('--runs <number>', 'the most answers, programs and runs of strategies at a time', parseCount)
    .option('--days <number>', 'days until it expires', parseCount)
    .action((name: string, { scopes, requests, tokens, runs, days }: AddOptions, command: Command) => {
      const key = keysOf(command).add({
        name,
        ...(scopes && { scopes }),
        ...(days !== undefined && { expiresAt: new Date(Date.now() + days * dayMs) }),
        ...(requests !== undefined && { requestsPerMinute: requests }),
        ...(tokens !== undefined && { tokensPerMinute: tokens }),
        ...(runs !== undefined && { concurrentRuns: runs }),
      });
      note('Keep it well: only its digest is stored, and it is not shown again.');
      print(key);
    });
  keys
    .command('revoke <name>')
    .description('take a key away; a running gateway refuses it within a second')
    .action((name: string, _options: object, command: Command) => {
      keysOf(command).revoke(name);
      print(`${name} is revoked.`);
    });
  return keys;
}

function keysOf(command: Command): ApiKeys {
  return new ApiKeys(settingsFor(command).gateway.keys, ({ message }) => note(`crucible: ${message}`));
}

function parseScopes(given: string): readonly KeyScope[] {
  const names = given.split(',').map((scope) => scope.trim());
  const wrong = names.find((name) => !(keyScopes as readonly string[]).includes(name));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`${JSON.stringify(wrong)} is none of ${keyScopes.join(', ')}`);
  return names as KeyScope[];
}

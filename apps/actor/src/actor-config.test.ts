import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { matchesName, parseActorConfig, readActorConfig } from './actor-config.ts';

const parse = (given: unknown, environment = {}) => parseActorConfig(JSON.stringify(given), 'actor.json', environment);

describe("the operator's file", () => {
  it('may be missing, empty, or say all', () => {
    const nothing = { models: {}, mcpServers: [], approval: [], approvalTimeoutMs: 600_000, network: {} };
    expect(readActorConfig(undefined, temporaryFolder())).toEqual(nothing);
    expect(parse({})).toEqual(nothing);
    const home = temporaryFolder();
    writeFileSync(join(home, 'actor.json'), '{"approval": ["fetch"]}');
    expect(readActorConfig(undefined, home)).toEqual({ ...nothing, approval: ['fetch'] });
    expect(
      parse(
        {
          models: {
            big: { url: 'https://host/v1', key: '${KEY}', contextTokens: 9 },
            small: { url: 'http://h', model: 's' },
          },
          mcpServers: {
            files: { command: 'npx', args: ['server'], env: { TOKEN: 'a ${KEY} b' } },
            wiki: { url: 'https://host/mcp', headers: { authorization: 'Bearer ${KEY}' } },
          },
          approval: ['files_*'],
          approvalTimeoutMs: 1000,
          network: { hosts: ['*.example.org'], addresses: ['10.0.0.1:80'], ports: [80] },
        },
        { KEY: 'secret' },
      ),
    ).toEqual({
      models: {
        big: { model: 'big', url: 'https://host/v1', key: 'secret', contextTokens: 9 },
        small: { model: 's', url: 'http://h' },
      },
      mcpServers: [
        { name: 'files', command: 'npx', args: ['server'], env: { TOKEN: 'a secret b' } },
        { name: 'wiki', url: 'https://host/mcp', headers: { authorization: 'Bearer secret' } },
      ],
      approval: ['files_*'],
      approvalTimeoutMs: 1000,
      network: { hosts: ['*.example.org'], addresses: ['10.0.0.1:80'], ports: [80] },
    });
  });

  it.each([
    ['an unknown field', { modles: {} }, /^actor\.json: .*modles/],
    ['a model without a URL', { models: { big: {} } }, /^actor\.json: models\.big\.url: /],
    [
      'a URL of another kind',
      { models: { big: { url: 'ftp://h' } } },
      /models\.big\.url: must be an http or https URL/,
    ],
    [
      'a variable that is not set',
      { models: { big: { url: 'http://h', key: '${KEY}' } } },
      /models\.big\.key: the variable KEY is not set/,
    ],
    ['a server of a wrong name', { mcpServers: { 'a b': { command: 'x' } } }, /mcpServers\.a b: a name is a letter/],
    ['a server that is neither', { mcpServers: { a: {} } }, /^actor\.json: mcpServers\.a/],
    ['a wait without end', { approvalTimeoutMs: 1e12 }, /^actor\.json: approvalTimeoutMs: /],
  ])('is refused for %s', (_name, given, message) => {
    expect(() => parse(given)).toThrow(message);
    expect(() => parse(given)).toThrow(expect.objectContaining({ code: 'invalid-input', at: 'actor.json' }) as Error);
  });

  it('is refused where it is no JSON, or not there though it is named', () => {
    expect(() => parseActorConfig('{', 'actor.json')).toThrow(/^actor\.json: is no JSON: /);
    const path = join(temporaryFolder(), 'none.json');
    expect(() => readActorConfig(path, '')).toThrow(
      expect.objectContaining({ code: 'not-found', at: 'CRUCIBLE_ACTOR_CONFIG' }) as Error,
    );
  });

  it('names tools whole, or by how they begin', () => {
    expect(['fetch', 'fetcher', 'files_read'].map((name) => matchesName('fetch', name))).toEqual([true, false, false]);
    expect(['files_read', 'files_', 'file'].map((name) => matchesName('files_*', name))).toEqual([true, true, false]);
  });
});

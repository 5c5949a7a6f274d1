import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, test } from 'vitest';
import type { CrucibleError } from '@crucible/foundation';
import { ApiKeys, keyScopes } from './api-keys.ts';

describe('keys', () => {
  test('are shown once; the folder has their digest, which nobody else may read', () => {
    const folder = join(temporaryFolder(), 'keys');
    const keys = new ApiKeys(folder);
    expect(keys.isEmpty).toBe(true);
    const key = keys.add({ name: 'laptop', scopes: ['jobs', 'chat'], requestsPerMinute: 60 });
    expect(key).toMatch(/^crucible-[\w-]{43}$/);
    const path = join(folder, 'laptop.json');
    const text = readFileSync(path, 'utf8');
    expect(text).not.toContain(key);
    expect(text).not.toContain(key.slice('crucible-'.length));
    expect(JSON.parse(text)).toMatchObject({
      sha256: createHash('sha256').update(key).digest('hex'),
      scopes: ['chat', 'jobs'],
      requests_per_minute: 60,
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['laptop.json']);
    expect(new ApiKeys(folder).find(key)).toMatchObject({
      name: 'laptop',
      scopes: ['chat', 'jobs'],
      requestsPerMinute: 60,
      tokensPerMinute: undefined,
      expiresAt: undefined,
    });
  });

  test('are found by the whole of them alone', () => {
    const folder = temporaryFolder();
    const keys = new ApiKeys(folder);
    const [first, second] = ['a', 'b'].map((name) => keys.add({ name }));
    const others = new ApiKeys(folder);
    expect(others.find(first!)?.name).toBe('a');
    expect(others.find(second!)?.name).toBe('b');
    for (const wrong of ['', 'crucible-', first!.slice(0, -1), `${first}x`, first!.toUpperCase(), 'x'.repeat(10_000)])
      expect(others.find(wrong)).toBeUndefined();
    const { sha256 } = others.find(first!)!;
    expect(others.find(sha256)).toBeUndefined();
  });

  test('that are added and revoked are seen by a gateway that runs', async () => {
    const folder = temporaryFolder();
    const running = new ApiKeys(folder);
    expect(running.find('x')).toBeUndefined();
    const writing = new ApiKeys(folder);
    const key = writing.add({ name: 'a' });
    expect(running.isEmpty).toBe(false);
    await expect.poll(() => running.find(key)?.name).toBe('a');
    writing.revoke('a');
    await expect.poll(() => running.find(key)).toBeUndefined();
  });

  test('have all scopes unless some are named', () => {
    const keys = new ApiKeys(temporaryFolder());
    expect(keys.find(keys.add({ name: 'a' }))?.scopes).toEqual(keyScopes);
  });

  test('keep a time at which they expire', () => {
    const keys = new ApiKeys(temporaryFolder());
    const expiresAt = new Date('2030-01-02T03:04:05.678Z');
    expect(keys.find(keys.add({ name: 'a', expiresAt }))?.expiresAt).toEqual(expiresAt);
  });
});

describe('what cannot be', () => {
  test('a name that is taken, which leaves the key that has it', () => {
    const keys = new ApiKeys(temporaryFolder());
    const key = keys.add({ name: 'a' });
    expect(() => keys.add({ name: 'a' })).toThrow(
      expect.objectContaining({
        code: 'conflict',
        message: 'key a exists; revoke it first, or take another name',
      }) as Error,
    );
    expect(keys.find(key)?.name).toBe('a');
  });

  test.each(['', '.a', '../a', 'a/b', 'A', 'ä', 'x'.repeat(65)])('the name %j', (name) => {
    const folder = temporaryFolder();
    const keys = new ApiKeys(folder);
    const wrong = expect.objectContaining({ code: 'invalid-input', at: 'name' }) as Error;
    expect(() => keys.add({ name })).toThrow(wrong);
    expect(() => keys.revoke(name)).toThrow(wrong);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('revoking one that does not exist', () => {
    const keys = new ApiKeys(temporaryFolder());
    expect(() => keys.revoke('b')).toThrow('key b does not exist; there are none');
    keys.add({ name: 'a' });
    expect(() => keys.revoke('b')).toThrow('key b does not exist; there are a');
  });

  test.each([
    ['no JSON', '{', /JSON/],
    ['a digest that is none', { sha256: 'abc' }, /sha256: /],
    ['a scope that does not exist', { scopes: ['root'] }, /scopes\.0: /],
    ['a limit below 1', { requests_per_minute: 0 }, /requests_per_minute: /],
    ['a field that does not exist', { admin: true }, /admin/],
  ])('a file that is %s: it opens nothing, and the others go on', (_what, wrong, why) => {
    const folder = join(temporaryFolder(), 'keys');
    mkdirSync(folder);
    const good = new ApiKeys(folder).add({ name: 'good' });
    const file = JSON.parse(readFileSync(join(folder, 'good.json'), 'utf8')) as object;
    const path = join(folder, 'bad.json');
    writeFileSync(path, typeof wrong === 'string' ? wrong : JSON.stringify({ ...file, ...wrong }));
    const damages: CrucibleError[] = [];
    const keys = new ApiKeys(folder, (error) => damages.push(error));
    expect(keys.list().map(({ name }) => name)).toEqual(['good']);
    expect(keys.find(good)?.name).toBe('good');
    expect(damages).toMatchObject([{ code: 'data-loss', at: path, message: expect.stringMatching(why) as string }]);
    // Told once, not for every request.
    keys.list();
    expect(damages).toHaveLength(1);
  });
});
